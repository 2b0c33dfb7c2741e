// The models of this machine as people read them, and what a person sets for one of them.
import type { EngineState, EngineStatus, HubOffer, LocalModel } from '../api/types';
import { bytes, parameters, percent, tokens, unknown } from './units';

const engineNames: Record<string, string> = { llamacpp: 'llama.cpp', mlx: 'MLX' };

export const engineName = (engine: string): string => engineNames[engine] ?? engine;

export const stateWords: Record<EngineState, string> = {
  idle: 'Not loaded',
  installing: 'Installing its engine…',
  loading: 'Loading…',
  ready: 'Ready',
  failed: 'Failed',
};

export const stateTones = { idle: 'off', installing: 'busy', loading: 'busy', ready: 'ok', failed: 'bad' } as const;

export const statePlaces: Record<EngineState, number> = { ready: 0, loading: 1, installing: 1, failed: 2, idle: 3 };

/** Somebody has it loaded, or is at it. */
export const turns = (state: EngineState): boolean => state === 'loading' || state === 'installing';

/** A model with what its engine does. */
export interface Entry {
  model: LocalModel;
  engine: EngineStatus | undefined;
  state: EngineState;
}

/** The models that are loaded or at it first, then by name. What the server's status tells is newer than the list. */
export function entries(models: readonly LocalModel[], engines: readonly EngineStatus[]): Entry[] {
  return models
    .map((model): Entry => {
      const engine = engines.find((e) => e.model === model.name);
      return { model, engine, state: engine?.state ?? 'idle' };
    })
    .sort((a, b) => statePlaces[a.state] - statePlaces[b.state] || a.model.name.localeCompare(b.model.name));
}

const formats: Record<LocalModel['format'], string> = { gguf: 'GGUF', mlx: 'MLX' };

export const formatName = (format: LocalModel['format']): string => formats[format] ?? format;

/** It is offered, and lies on no disk yet. */
export const isOffered = (model: LocalModel): boolean => model.folder === '';

/** What is said of a model in its row, in a few words. */
export const brief = (m: LocalModel): string =>
  [m.quantization, m.parameters > 0 ? parameters(m.parameters) : '', m.size_bytes > 0 ? bytes(m.size_bytes) : ''].filter(Boolean).join(' · ');

/** 853 MB with 32.8k tokens of context */
export const memoryWords = (m: LocalModel): string =>
  m.memory_tokens > 0 ? `${bytes(m.memory_bytes)} with ${tokens(m.memory_tokens)} tokens of context` : `${bytes(m.memory_bytes)} for its weights alone`;

/** Whether it fits, with the figure behind that. */
export function fitWords(m: LocalModel): string {
  if (m.memory_share <= 0) return 'not known';
  const share = `${percent(m.memory_share * 100)} of this machine’s memory`;
  return m.fits ? `Yes, ${share}` : `No, ${share}`;
}

/** What its files tell of a model, as lines. What they do not tell is a dash. */
export function factsOf({ model: m }: Entry): [name: string, value: string][] {
  return [
    ['Format', formatName(m.format)],
    ['Architecture', m.architecture || unknown],
    ['Parameters', parameters(m.parameters)],
    ['Quantisation', m.quantization || unknown],
    ['Context', m.context_length > 0 ? `${tokens(m.context_length)} tokens` : unknown],
    ['Size', m.size_bytes > 0 ? bytes(m.size_bytes) : unknown],
    ['Projector', m.projector || 'none: it reads text alone'],
    ['Licence', m.license || unknown],
    ['Estimated memory', m.memory_bytes > 0 ? memoryWords(m) : unknown],
    ['Fits', fitWords(m)],
    ['Engine', m.available ? engineName(m.engine) : `${engineName(m.engine)}, which this server does not have`],
  ];
}

export interface Share {
  model: string;
  bytes: number;
}

/** What each loaded model takes, the most first. */
export const shares = (loaded: readonly Share[]): Share[] => loaded.filter((s) => s.bytes > 0).sort((a, b) => b.bytes - a.bytes);

export type Fit = 'fits' | 'tight' | 'large' | 'unknown';

const room = 1.2; // what keys, values and buffers of a usual context take beside the weights, roughly

/** Whether what is to be downloaded will fit, as far as its size tells. */
export function fitOf(offer: Pick<HubOffer, 'size_bytes'>, limit: number): Fit {
  if (limit <= 0 || offer.size_bytes <= 0) return 'unknown';
  if (offer.size_bytes > limit) return 'large';
  return offer.size_bytes * room > limit ? 'tight' : 'fits';
}

export const fitNotes: Record<Fit, { text: string; tone: string }> = {
  fits: { text: 'Fits', tone: 'text-ok' },
  tight: { text: 'Fits with a short context', tone: 'text-warn' },
  large: { text: 'Too large for this machine', tone: 'text-bad' },
  unknown: { text: '', tone: 'text-muted' },
};
