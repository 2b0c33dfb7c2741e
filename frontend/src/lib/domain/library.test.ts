import { describe, expect, it } from 'vitest';
import type { EngineStatus, LocalModel } from '../api/types';
import { brief, entries, factsOf, fitOf, isOffered, shares } from './library';

const model = (name: string, change: Partial<LocalModel> = {}): LocalModel => ({
  name,
  size_bytes: 98e6,
  format: 'gguf',
  architecture: 'llama',
  parameters: 135e6,
  quantization: 'Q4_K_M',
  context_length: 8192,
  license: 'apache-2.0',
  folder: '/models',
  path: '/models/a.gguf',
  read_only: false,
  copies: 0,
  projector: '',
  memory_bytes: 853e6,
  memory_tokens: 32_768,
  memory_share: 0.05,
  fits: true,
  engine: 'llamacpp',
  available: true,
  state: 'idle',
  ...change,
});

const engine = (name: string, state: EngineStatus['state']): EngineStatus =>
  ({ model: name, engine: 'llamacpp', state, detail: '', pid: 0, memory_bytes: 0, in_flight: 0, slots: 0, waiting: 0 }) as unknown as EngineStatus;

describe('the models', () => {
  it('are listed with those that are loaded first, by what the status tells', () => {
    const list = entries([model('a'), model('b'), model('c', { state: 'ready' }), model('d')], [engine('b', 'failed'), engine('c', 'idle'), engine('d', 'ready')]);
    expect(list.map((e) => `${e.model.name} ${e.state}`)).toEqual(['d ready', 'b failed', 'a idle', 'c idle']);
  });

  it('say in a row what their files tell, and nothing of what they do not', () => {
    expect(brief(model('a'))).toBe('Q4_K_M · 135M · 98 MB');
    expect(brief(model('a', { quantization: '', parameters: 0 }))).toBe('98 MB');
    expect(isOffered(model('a', { folder: '' }))).toBe(true);
  });

  it('say all of it below, with a dash for what is not known', () => {
    const [entry] = entries([model('a', { architecture: '', license: '', fits: false, memory_share: 1.5, available: false, engine: 'mlx', format: 'mlx' })], []);
    const facts = Object.fromEntries(entry ? factsOf(entry) : []);
    expect(facts).toMatchObject({
      Format: 'MLX',
      Architecture: '–',
      Licence: '–',
      Context: '8.2k tokens',
      Projector: 'none: it reads text alone',
      'Estimated memory': '853 MB with 32.8k tokens of context',
      Fits: 'No, 150 % of this machine’s memory',
      Engine: 'MLX, which this server does not have',
    });
  });
});

describe('memory', () => {
  it('is told by what takes most of it', () => {
    const said = shares([{ model: 'a', bytes: 1 }, { model: 'b', bytes: 0 }, { model: 'c', bytes: 5 }]);
    expect(said.map((s) => s.model)).toEqual(['c', 'a']);
  });

  it('is enough, just enough, or not enough for what is to be downloaded', () => {
    const fits = [5e9, 9e9, 11e9, 0].map((size_bytes) => fitOf({ size_bytes }, 10e9));
    expect(fits).toEqual(['fits', 'tight', 'large', 'unknown']);
    expect(fitOf({ size_bytes: 5e9 }, 0)).toBe('unknown');
  });
});
