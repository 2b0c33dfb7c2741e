// A run of mlx-benchmark in words: what it asked, what became of it, what has changed since another.
import type { BenchmarkCase, BenchmarkRun } from '../../api/types';
import { clock } from '../units';

export type Run = BenchmarkRun;
export type Case = BenchmarkCase;

export const measured = (c: Case): boolean => c.answered > 0;

/** Each once, in the order in which they come. */
export const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];

const list = (words: readonly string[]): string => (words.length > 3 ? `${words.slice(0, 2).join(', ')} and ${words.length - 2} more` : words.join(', '));

export const modelsOf = (run: Run): string[] => unique(run.cases.filter((c) => c.model).map((c) => c.model ?? ''));

/** smollm2-135m-instruct, or what there is to say when nothing was measured. */
export const modelNames = (run: Run): string => list(modelsOf(run)) || 'no model';

/** short, medium · 1, 2, 4 at a time · 10 × 128 tokens */
export function asked(run: Run): string {
  const prompts = unique(run.cases.map((c) => c.prompt.name).filter(Boolean));
  const at = unique(run.cases.map((c) => c.concurrency).filter((n) => n > 0));
  const { runs, max_tokens, stream, same_prompt } = run.settings;
  return [
    list(prompts),
    at.length > 0 && `${at.join(', ')} at a time`,
    `${runs} × ${max_tokens} tokens`,
    !stream && 'not streamed',
    same_prompt && 'same prompt',
  ]
    .filter(Boolean)
    .join(' · ');
}

export interface Outcome {
  word: string;
  tone: 'ok' | 'warn' | 'bad';
  why: string;
}

/** complete, 2 of 9 not measured, broken off */
export function outcome(run: Run): Outcome {
  if (!run.complete) return { word: 'broken off', tone: 'warn', why: run.broken_off ?? '' };
  const wanted = run.cases.filter((c) => c.status !== 'skipped');
  const missing = wanted.filter((c) => !measured(c));
  const why = unique(missing.map((c) => c.reason ?? '').filter(Boolean)).join('; ');
  if (missing.length === 0 && wanted.length > 0) {
    const failed = wanted.reduce((sum, c) => sum + c.failed, 0);
    if (failed === 0) return { word: 'complete', tone: 'ok', why: '' };
    return { word: `${failed} failed`, tone: 'warn', why: `${failed} requests got no answer` };
  }
  return { word: missing.length === wanted.length ? 'nothing measured' : `${missing.length} of ${wanted.length} not measured`, tone: 'bad', why };
}

/** Not measured: the cases that had no turn or no answer, as a sentence; or "". */
export function missing(run: Run): string {
  const cases = run.cases.filter((c) => c.status !== 'skipped' && !measured(c)).map((c) => `${c.model ?? c.route}, ${c.prompt.name}, ${c.concurrency} at a time`);
  return cases.length === 0 ? '' : `Not measured: ${cases.slice(0, 4).join('; ')}${cases.length > 4 ? `; and ${cases.length - 4} more` : ''}.`;
}

/** What one calls a run: its label, else when it began. */
export const nameOf = (run: Pick<Run, 'label' | 'started_at'>, now: Date): string => run.label || clock(new Date(run.started_at), now);

/** What is otherwise than in an earlier run: what may be the reason for other figures. */
export function changes(before: Run, after: Run): string[] {
  const found: string[] = [];
  const differ = (what: string, a: unknown, b: unknown) => {
    if (a !== b && a !== undefined && b !== undefined && a !== '' && b !== '') found.push(`${what} ${String(a)} → ${String(b)}`);
  };
  differ('mlxbar', before.server.version, after.server.version);
  differ('mlx-benchmark', before.tool, after.tool);
  differ('processor', before.machine.cpu, after.machine.cpu);
  for (const model of modelsOf(after)) {
    const hash = (run: Run) => run.cases.find((c) => c.model === model)?.model_sha256;
    const engine = (run: Run) => run.cases.find((c) => c.model === model)?.fingerprint;
    const [a, b] = [hash(before), hash(after)];
    if (a && b && a !== b) found.push(`another file of ${model}`);
    differ('engine', engine(before), engine(after));
  }
  differ('tokens', before.settings.max_tokens, after.settings.max_tokens);
  differ('runs', before.settings.runs, after.settings.runs);
  differ('streamed', before.settings.stream, after.settings.stream);
  differ('same prompt', before.settings.same_prompt, after.settings.same_prompt);
  return unique(found);
}

/** The settings of the engines that differ between two files, which are in the whole of a file only. */
export const engineChanges = (before: Engines, after: Engines): string[] =>
  differences(before.server.engines ?? {}, after.server.engines ?? {}).map(([name, a, b]) => `${name} ${String(a ?? 'unset')} → ${String(b ?? 'unset')}`);

interface Engines {
  server: { engines?: unknown };
}

/** The leaves in which two settings differ, by name: llamacpp.parallel. */
function differences(a: unknown, b: unknown, path = ''): [string, unknown, unknown][] {
  if (typeof a === 'object' && typeof b === 'object' && a && b && !Array.isArray(a) && !Array.isArray(b)) {
    const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>];
    return unique([...Object.keys(x), ...Object.keys(y)]).flatMap((key) => differences(x[key], y[key], path ? `${path}.${key}` : key));
  }
  const text = (v: unknown) => (typeof v === 'object' ? JSON.stringify(v) : v);
  return text(a) === text(b) ? [] : [[path, text(a), text(b)]];
}

/** By the id of each run: the newest run before it that measured something that it did, too. */
export function predecessors(runs: readonly Run[]): ReadonlyMap<number, Run> {
  const found = new Map<number, Run>();
  const latest = new Map<string, { run: Run; earlier: Run | undefined }>(); // by case, with the one before of another time
  for (const run of [...runs].sort((a, b) => (a.started_at < b.started_at ? -1 : a.started_at > b.started_at ? 1 : 0))) {
    for (const key of new Set(run.cases.filter(measured).map(keyOf))) {
      const last = latest.get(key);
      const earlier = last && last.run.started_at < run.started_at ? last.run : last?.earlier;
      const known = found.get(run.id);
      if (earlier && (!known || known.started_at < earlier.started_at)) found.set(run.id, earlier);
      latest.set(key, { run, earlier });
    }
  }
  return found;
}

/** Tells cases apart, as mlx-benchmark does. */
export const keyOf = (c: Pick<Case, 'route' | 'model' | 'prompt' | 'concurrency'>): string => JSON.stringify([c.route, c.model ?? '', c.prompt.name, c.prompt.characters, c.concurrency]);

/** What is looked at: one prompt, so many requests at a time. */
export interface Choice {
  prompt: string;
  at: number;
}

export const promptsOf = (run: Run): string[] => unique(run.cases.filter(measured).map((c) => c.prompt.name));
export const atOf = (run: Run, prompt: string): number[] =>
  unique(run.cases.filter((c) => measured(c) && c.prompt.name === prompt).map((c) => c.concurrency)).sort((a, b) => a - b);

/** What was chosen, where the run has it, else the first that it has. */
export function choice(run: Run, wanted: Partial<Choice>): Choice {
  const prompts = promptsOf(run);
  const prompt = prompts.find((p) => p === wanted.prompt) ?? prompts[0] ?? '';
  const at = atOf(run, prompt);
  return { prompt, at: at.find((n) => n === wanted.at) ?? at[0] ?? 1 };
}

export const chosenCases = (run: Run, { prompt, at }: Choice): Case[] =>
  run.cases.filter((c) => measured(c) && c.prompt.name === prompt && c.concurrency === at);

/** The prompt and the number of requests at a time, as notes say them. */
export const choiceWords = ({ prompt, at }: Choice): string => `prompt ${prompt}, ${at} at a time`;

/** The name of a case's model; with its route where the run took several to it. */
export function seriesName(c: Case, all: readonly Case[]): string {
  const routes = unique(all.filter((o) => o.model === c.model).map((o) => o.route));
  return routes.length > 1 ? `${c.model ?? ''} (${c.route})` : (c.model ?? '');
}
