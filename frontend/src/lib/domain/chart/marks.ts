// What a chart is drawn with, and the room that text takes.
import type { Ink, shapes } from './chart';

export type Shape = (typeof shapes)[number];

export type Mark =
  | { kind: 'path'; d: string; ink: Ink; width: number; dash?: string; opacity?: number }
  | { kind: 'area'; d: string; ink: Ink; opacity: number }
  | { kind: 'dot'; x: number; y: number; shape: Shape; ink: Ink }
  | { kind: 'text'; x: number; y: number; text: string; anchor: 'start' | 'middle' | 'end'; ink: Ink; strong?: boolean };

export const fontSize = 11;
const letter = 6.2; // pixels, about

// Counted and cut by code points: half of a surrogate pair is no text, and no file takes it.
export const textWidth = (text: string): number => [...text].length * letter;

/** As much of a text as there is room for. */
export function fitted(text: string, room: number): string {
  const most = Math.floor(room / letter);
  const points = [...text];
  return points.length <= most ? text : `${points.slice(0, Math.max(1, most - 1)).join('').trimEnd()}…`;
}

/** Half pixels: hairlines are sharp there. */
export const sharp = (v: number): number => Math.floor(v) + 0.5;

export const round = (v: number): number => Math.round(v * 10) / 10;

export const line = (x1: number, y1: number, x2: number, y2: number): string => `M${round(x1)} ${round(y1)}L${round(x2)} ${round(y2)}`;
