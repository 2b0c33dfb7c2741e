// The marks of points, as paths around a place.
import type { Shape } from './marks';

const r = 3.2;

/** The path of a shape; those that are lines are not filled. */
export function shapePath(shape: Shape, x: number, y: number): string {
  const at = (dx: number, dy: number) => `${(x + dx).toFixed(1)} ${(y + dy).toFixed(1)}`;
  switch (shape) {
    case 'square':
    case 'open-square':
      return `M${at(-r + 0.3, -r + 0.3)}L${at(r - 0.3, -r + 0.3)}L${at(r - 0.3, r - 0.3)}L${at(-r + 0.3, r - 0.3)}Z`;
    case 'triangle':
    case 'open-triangle':
      return `M${at(0, -r - 0.6)}L${at(r + 0.4, r - 0.4)}L${at(-r - 0.4, r - 0.4)}Z`;
    case 'down':
    case 'open-down':
      return `M${at(0, r + 0.6)}L${at(r + 0.4, -r + 0.4)}L${at(-r - 0.4, -r + 0.4)}Z`;
    case 'diamond':
    case 'open-diamond':
      return `M${at(0, -r - 0.8)}L${at(r + 0.8, 0)}L${at(0, r + 0.8)}L${at(-r - 0.8, 0)}Z`;
    case 'plus':
      return `M${at(-r, 0)}L${at(r, 0)}M${at(0, -r)}L${at(0, r)}`;
    case 'cross':
      return `M${at(-r + 0.4, -r + 0.4)}L${at(r - 0.4, r - 0.4)}M${at(-r + 0.4, r - 0.4)}L${at(r - 0.4, -r + 0.4)}`;
    case 'circle':
    case 'ring':
      return `M${at(-r, 0)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
  }
}

export const isLine = (shape: Shape): boolean => shape === 'plus' || shape === 'ring' || shape === 'cross' || shape.startsWith('open-');
