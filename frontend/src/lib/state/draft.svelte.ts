// What is unsaved in the settings, those of single models included, outlives the window: its program keeps it, and gives it to
// the next one's page. What may be a secret in the wrong place it leaves out, by the server's own rules.
import { untrack } from 'svelte';
import type { Native } from '../api/native';
import { sentence } from '../api/problem';
import { draftOf, partsOf } from '../domain/draft';
import type { Json } from '../domain/patch';
import { library } from './library.svelte';
import { place, type PageName } from './place.svelte';
import { server } from './server.svelte';
import { settings } from './settings.svelte';
import { toasts } from './toast.svelte';

type Keeper = Pick<Native, 'Draft' | 'KeepDraft'>;

/** Takes up what was unsaved as soon as the settings are there, and from then on has it kept. */
export function keepDraft(keeper: Keeper): void {
  let left = $state.raw<Json | undefined>();
  let asked = $state(false);
  let but = ''; // what was not kept of it
  const told = $state<Partial<Record<PageName, number>>>({}); // the messages about it, by the page that shows it

  void keeper
    .Draft()
    .then(({ change, left_out }) => {
      if (left_out) but = ', but for what could be a key in the wrong place';
      if (change) left = JSON.parse(change) as Json;
    })
    .catch((error: unknown) => toasts.show({ text: `What was not saved in the settings could not be had back: ${sentence(error)}`, tone: 'bad' }))
    .finally(() => (asked = true));

  function tell(page: PageName, where: string, show: () => void) {
    told[page] = toasts.show({ text: `What you had changed ${where} is there, not saved yet${but}.`, action: { label: 'Show', run: show } });
  }

  function takeUp(parts: ReturnType<typeof partsOf>) {
    if (settings.resume(parts.settings)) tell('settings', 'in the settings', () => place.go('settings'));
    if (parts.models.length === 0) return;
    const [first, ...more] = library.resume(parts.models);
    if (first === undefined) return;
    tell('models', `for ${more.length === 0 ? first : `${more.length + 1} models`}`, () => {
      library.open = first;
      place.go('models', 'installed');
    });
  }

  const parts = $derived(left === undefined ? null : partsOf(left));
  const awaitsModels = $derived(parts !== null && parts.models.length > 0 && !library.list); // to name those that are there

  $effect(() => {
    if (parts === null || !server.status) return;
    if (!settings.saved) void settings.load();
    if (awaitsModels) untrack(() => void library.load());
  });
  $effect(() => {
    if (parts === null || !settings.saved || awaitsModels) return;
    const found = parts;
    left = undefined;
    untrack(() => takeUp(found));
  });
  // There, it stands beside Save.
  $effect(() => {
    const id = told[place.page];
    if (id !== undefined) untrack(() => toasts.dismiss(id));
  });
  $effect(() => {
    if (!asked || left !== undefined) return;
    const now = draftOf(settings.patch, library.patch);
    keeper.KeepDraft(now === undefined ? '' : JSON.stringify(now)).catch((error: unknown) => toasts.show({ text: sentence(error), tone: 'bad' }));
  });
}
