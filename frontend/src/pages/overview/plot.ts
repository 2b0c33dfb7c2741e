// The drawing of a chart. It is in a file of its own, so that the page shows before it is there.
import './language';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

export interface Line {
  times: number[];
  values: number[];
}

export interface Plot {
  draw(line: Line): void;
  end(): void;
}

/** Draws into element, as wide and high as that is, in the colours that its page has at the moment. */
export function plot(element: HTMLElement, ink: string, line: Line, figure: (n: number) => string): Plot {
  const style = getComputedStyle(element);
  const colour = (token: string) => style.getPropertyValue(token).trim();
  const font = `11px ${style.fontFamily}`;
  const axis = { stroke: colour('--muted'), font, grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
  const chart = new uPlot(
    {
      width: element.clientWidth,
      height: element.clientHeight,
      padding: [8, 4, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: true }, y: { range: (_, __, max) => [0, ceiling(max)] } },
      axes: [
        { ...axis, size: 22, space: 70, grid: { show: false }, values: (_, times) => times.map(minute) },
        { ...axis, size: 40, splits: (_, __, ___, max) => [0, max / 2, max], values: (_, values) => values.map(figure) },
      ],
      series: [{}, { stroke: colour(ink), width: 1.5, fill: `color-mix(in srgb, ${colour(ink)} 12%, transparent)`, points: { show: false } }],
    },
    [line.times, line.values],
    element,
  );
  const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: element.clientHeight }));
  observer.observe(element);
  return {
    draw: (next) => chart.setData([next.times, next.values]),
    end: () => {
      observer.disconnect();
      chart.destroy();
    },
  };
}

const minute = (seconds: number): string => {
  const at = new Date(seconds * 1000);
  return `${String(at.getHours()).padStart(2, '0')}:${String(at.getMinutes()).padStart(2, '0')}`;
};

/** The next figure above that halves well: 2, 4, 10, 20, 40, 100. */
export function ceiling(max: number): number {
  if (!(max > 2)) return 2;
  const power = 10 ** Math.floor(Math.log10(max));
  return ([2, 4, 10].find((m) => m * power >= max) ?? 10) * power;
}
