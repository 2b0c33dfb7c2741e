// The settings that the page shows, in its order. What each does, its limits and its default are the
// server's to say (see schema.ts); here stands only how it is called and shown.
import type { Kind } from './schema';

export interface FieldSpec {
  /** Where it stands in settings.json. */
  path: string;
  label: string;
  kind: Kind;
  unit?: string;
  placeholder?: string;
  /** What one should know beside what the server says. */
  note?: string;
  options?: readonly { value: string; label: string }[];
  /** Among those that most people never need. */
  advanced?: boolean;
}

export interface SectionSpec {
  /** As addresses name it: #settings/timeouts. */
  name: string;
  title: string;
  /** What else it can be found by. */
  about?: string;
  fields: readonly FieldSpec[];
}

export const limits = { min: 1, max: 120 }; // minutes, of the three totals

export const sections: readonly SectionSpec[] = [
  {
    name: 'general',
    title: 'General',
    fields: [
      {
        path: 'server.addr',
        label: 'Address',
        kind: 'text',
        placeholder: '127.0.0.1:10242',
        note: 'Tools must be told of another one; requests that run finish at the old one.',
      },
      { path: 'server.allowed_origins', label: 'Allowed web origins', kind: 'list', placeholder: 'http://localhost:3000' },
      { path: 'server.max_body_mb', label: 'Largest request', kind: 'number', unit: 'MiB' },
    ],
  },
  {
    name: 'timeouts',
    title: 'Request Timeouts',
    fields: [
      { path: 'timeouts.chat', label: 'Chat', kind: 'duration' },
      { path: 'timeouts.completions', label: 'Completions', kind: 'duration' },
      { path: 'timeouts.embeddings', label: 'Embeddings', kind: 'duration' },
      { path: 'timeouts.connect', label: 'Connect', kind: 'duration', advanced: true },
      { path: 'timeouts.first_token', label: 'First token', kind: 'duration', advanced: true },
      { path: 'timeouts.idle', label: 'Idle', kind: 'duration', advanced: true },
    ],
  },
  {
    name: 'engines',
    title: 'Engines',
    fields: [
      { path: 'models.folders', label: 'Model folders', kind: 'list', placeholder: '~/.cache/huggingface/hub' },
      { path: 'engines.memory_percent', label: 'Memory for models', kind: 'number', unit: '% of the machine' },
      { path: 'engines.idle_unload_minutes', label: 'Unload when idle', kind: 'number', unit: 'minutes', note: '0 is never.' },
      { path: 'engines.queue', label: 'Longest queue', kind: 'number', unit: 'requests' },
      { path: 'engines.llamacpp.context_size', label: 'Context size', kind: 'number', unit: 'tokens' },
      { path: 'engines.llamacpp.parallel', label: 'Parallel requests', kind: 'number', unit: 'at once' },
      { path: 'engines.llamacpp.threads', label: 'Threads', kind: 'number', unit: 'threads' },
      { path: 'engines.llamacpp.command', label: 'Own llama-server', kind: 'text', placeholder: '/opt/homebrew/bin/llama-server' },
      {
        path: 'engines.mlx.enabled',
        label: 'MLX',
        kind: 'choice',
        options: [
          { value: 'auto', label: 'On Macs with Apple silicon' },
          { value: 'on', label: 'On' },
          { value: 'off', label: 'Off' },
        ],
      },
      { path: 'engines.keep_awake', label: 'Keep this machine awake', kind: 'switch' },
      { path: 'downloads.parallel', label: 'Downloads', kind: 'number', unit: 'at once' },
      { path: 'downloads.max_kb_per_second', label: 'Download speed', kind: 'number', unit: 'kB/s', note: '0 is as fast as they come.' },
    ],
  },
  { name: 'local', title: 'Local Only', fields: [{ path: 'local_only', label: 'Local only', kind: 'switch' }] },
  { name: 'providers', title: 'Providers', about: 'server address protocol key keychain OpenAI Anthropic Ollama LM Studio vLLM', fields: [] },
  { name: 'routes', title: 'Routes', about: 'model pattern alias target weight load fallback order dry run explain', fields: [] },
  {
    name: 'keys',
    title: 'API Keys',
    about: 'revoke limits tokens a day requests a minute',
    fields: [{ path: 'server.require_api_key', label: 'Require an API key', kind: 'switch' }],
  },
  {
    name: 'privacy',
    title: 'Privacy and Retention',
    fields: [
      { path: 'audit.retention_days', label: 'Keep records for', kind: 'number', unit: 'days' },
      { path: 'audit.max_size_mb', label: 'Largest database', kind: 'number', unit: 'MiB' },
      {
        path: 'audit.durability',
        label: 'Durability',
        kind: 'choice',
        options: [
          { value: 'batched', label: 'Batched' },
          { value: 'strict', label: 'Strict' },
        ],
      },
      { path: 'telemetry.otlp_endpoint', label: 'Telemetry collector', kind: 'text', placeholder: 'http://localhost:4318' },
      { path: 'telemetry.service_name', label: 'Telemetry name', kind: 'text', placeholder: 'mlxbar' },
    ],
  },
  {
    name: 'ledger',
    title: 'Costs',
    fields: [
      {
        path: 'ledger.compare_with',
        label: 'Compare with',
        kind: 'text',
        placeholder: 'gpt-5-mini',
        note: 'What providers charge is listed on the page Ledger; prices.json in the data folder corrects it.',
      },
    ],
  },
  { name: 'audit', title: 'Audit Logs', fields: [] },
];

/** The section of that name. */
export function section(name: string): SectionSpec {
  const found = sections.find((s) => s.name === name);
  if (!found) throw new Error(`there is no section ${name}`);
  return found;
}

/** Where something is wrong at a place or beneath it: routes[1].targets[0].provider is beneath routes[1]. */
export const faultsIn = (faults: Record<string, string>, place: string): string[] =>
  Object.keys(faults).filter((at) => at === place || at.startsWith(`${place}.`) || at.startsWith(`${place}[`));

/** The fault of a field, or of an entry of its list, as it goes on after the field's name; or "". */
export function faultAt(faults: Record<string, string>, path: string, entries: readonly unknown[] = []): string {
  if (faults[path]) return faults[path];
  for (const [location, detail] of Object.entries(faults)) {
    const at = location.startsWith(`${path}[`) ? Number.parseInt(location.slice(path.length + 1), 10) : Number.NaN;
    if (!Number.isNaN(at)) return `cannot have “${String(entries[at] ?? '')}”: each ${detail}`;
  }
  return '';
}
