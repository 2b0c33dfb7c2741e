// Pictures of charts: in the colours that the page has at the moment, and as PNG.
import type { Ink } from '../domain/chart/chart';
import type { Picture } from '../domain/chart/svg';

/** The colours of the tokens as they are now. */
export function inkNow(): (ink: Ink) => string {
  const style = getComputedStyle(document.documentElement);
  return (ink) => style.getPropertyValue(`--${ink}`).trim();
}

const density = 2; // pixels to a point, for screens that have so many

/** A picture as a PNG. The content security policy lets an image come from data:, and not from blob:. */
export async function png({ svg, width, height }: Picture): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = width * density;
  canvas.height = height * density;
  const context = canvas.getContext('2d');
  if (!context) throw new Error('this browser draws no pictures.');
  context.scale(density, density);
  context.drawImage(image, 0, 0, width, height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('this browser makes no PNG.'))), 'image/png');
  });
}
