// What the command palette offers, as things stand now.
import { loadModel, unloadModel } from '../api/client';
import { copyText, native } from '../api/native';
import type { ExportFormat, LocalModel } from '../api/types';
import { sections } from '../domain/fields';
import { fromAddress, isFiltered, noFilter, toQuery, type Filter } from '../domain/filter';
import { turns } from '../domain/library';
import type { Command } from './palette.svelte';
import { chat } from './chat.svelte';
import { exporting } from './export.svelte';
import { place } from './place.svelte';
import { server } from './server.svelte';
import { toasts } from './toast.svelte';

export function commands(models: readonly LocalModel[]): Command[] {
  return [...pageCommands(), ...actions(), ...models.flatMap(modelCommands), ...settingCommands()];
}

function pageCommands(): Command[] {
  return [
    { id: 'overview', label: 'Overview', group: 'Pages', run: () => place.go('overview') },
    { id: 'models', label: 'Models', hint: 'installed on this machine', group: 'Pages', run: () => place.go('models', 'installed') },
    { id: 'downloading', label: 'Downloads', hint: 'Models', group: 'Pages', run: () => place.go('models', 'downloading') },
    { id: 'discover', label: 'Discover models', hint: 'at the Hugging Face Hub', group: 'Pages', run: () => place.go('models', 'discover') },
    { id: 'ledger', label: 'Ledger', group: 'Pages', hint: 'what left this machine', run: () => place.go('ledger') },
    { id: 'benchmarks', label: 'Benchmarks', group: 'Pages', run: () => place.go('benchmarks') },
    { id: 'connect', label: 'Connect', hint: 'tools and libraries', group: 'Pages', run: () => place.go('connect') },
    { id: 'playground', label: 'Playground', group: 'Pages', hint: 'chat with a model', run: () => place.go('playground') },
    { id: 'settings', label: 'Settings', group: 'Pages', run: () => place.go('settings') },
    ...sections.map(
      (s): Command => ({ id: `section ${s.name}`, label: s.title, hint: 'Settings', group: 'Pages', run: () => place.go('settings', s.name) }),
    ),
  ];
}

/** What the audit is narrowed to. Other pages write other things into the address, such as the model that Connect names. */
const filter = (): Filter => (place.page === 'settings' ? fromAddress(place.query) : noFilter);

function actions(): Command[] {
  const list: Command[] = [];
  const running = server.phase === 'running';
  const act = (id: string, label: string, run: Command['run'], hint = '') => list.push({ id, label, hint, group: 'Actions', run });
  if (server.address) {
    act('copy', 'Copy address', () => copyText(server.address).then(() => void toasts.show({ text: 'Copied', tone: 'ok' })), server.address);
  }
  if (running) act('stop', 'Stop the server', () => server.stop(), 'running requests finish');
  else if (native && (server.phase === 'stopped' || server.phase === 'failed')) act('start', 'Start the server', () => server.start());
  if (native || running) {
    const narrowed = isFiltered(filter()) ? 'what the filters show' : 'all records';
    act('csv', 'Export CSV', () => save('csv'), narrowed);
    act('jsonl', 'Export JSONL', () => save('jsonl'), narrowed);
  }
  if (isFiltered(filter())) act('clear', 'Clear filters', () => place.narrow(new URLSearchParams()));
  if (chat.turns.length > 0) {
    act('chat md', 'Save the conversation as Markdown', () => chat.save('md'));
    act('chat json', 'Save the conversation as JSON', () => chat.save('json'));
    act('chat clear', 'New conversation', () => (chat.clear(), place.go('playground')), 'clears the one in the Playground');
  }
  if (native) act('folder', 'Open data folder', () => native?.OpenDataFolder());
  else if (server.status) act('logout', 'Log out', () => server.logout());
  return list;
}

function modelCommands({ name, state, available }: LocalModel): Command[] {
  if (!available || turns(state)) return [];
  return [
    state === 'ready'
      ? { id: `unload ${name}`, label: `Unload ${name}`, group: 'Models', hint: 'after the requests that it answers', run: () => unloadModel(name) }
      : { id: `load ${name}`, label: `Load ${name}`, group: 'Models', run: () => loadModel(name) },
    { id: `chat ${name}`, label: `Chat with ${name}`, group: 'Models', hint: 'Playground', run: () => chatWith(name) },
  ];
}

function chatWith(name: string): void {
  chat.models[0] = name;
  place.go('playground');
}

function settingCommands(): Command[] {
  return sections.flatMap((s) =>
    s.fields.map((f): Command => ({ id: f.path, label: f.label, hint: s.title, group: 'Settings', run: () => place.go('settings', f.path) })),
  );
}

/** The buttons may be out of sight, so messages tell how it goes; of a failure one does anyhow. */
async function save(format: ExportFormat): Promise<void> {
  const done = exporting.save(format, toQuery(filter(), new Date()));
  if (!native) return done;
  const under = toasts.show({ text: 'Exporting…', action: { label: 'Cancel', run: () => exporting.cancel() }, lasts: Infinity });
  await done;
  toasts.dismiss(under);
  if (exporting.whole && !exporting.failed) toasts.show({ text: exporting.whole, tone: 'ok' });
}
