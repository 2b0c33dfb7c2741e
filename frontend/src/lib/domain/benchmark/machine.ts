// What figures were measured on, in a line.
import { bytes } from '../units';
import type { Run } from './run';

/** Apple M2 · 8 cores · 16 GB · darwin/arm64 · load 0.4 before */
export function describe({ machine: m }: Pick<Run, 'machine'>): string {
  const load = Number.isFinite(m.load_before) ? `load ${Number(m.load_before.toFixed(1))} before` : '';
  return [m.cpu, `${m.cpus} ${m.cpus === 1 ? 'core' : 'cores'}`, bytes(m.memory_bytes), m.os, load].filter(Boolean).join(' · ');
}
