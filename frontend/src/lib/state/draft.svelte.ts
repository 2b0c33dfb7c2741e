// What is unsaved in the settings outlives the window: its program keeps it, and gives it to the next one's page.
import { untrack } from 'svelte';
import type { Native } from '../api/native';
import { sentence } from '../api/problem';
import { keepable } from '../domain/draft';
import type { Json } from '../domain/patch';
import { place } from './place.svelte';
import { server } from './server.svelte';
import { settings } from './settings.svelte';
import { toasts } from './toast.svelte';

type Keeper = Pick<Native, 'Draft' | 'KeepDraft'>;

/** Takes up what was unsaved as soon as the settings are there, and from then on has it kept. */
export function keepDraft(keeper: Keeper): void {
  let left = $state.raw<Json | undefined>();
  let asked = $state(false);
  let told = $state(0); // the message about it

  void keeper
    .Draft()
    .then((text) => text && (left = JSON.parse(text) as Json))
    .catch((error: unknown) => toasts.show({ text: `What was not saved in the settings could not be had back: ${sentence(error)}`, tone: 'bad' }))
    .finally(() => (asked = true));

  $effect(() => {
    if (left !== undefined && server.status && !settings.saved) void settings.load();
  });
  $effect(() => {
    if (left === undefined || !settings.saved) return;
    const patch = left;
    left = undefined;
    if (settings.resume(patch)) {
      told = toasts.show({ text: 'What you had changed in the settings is there, not saved yet.', action: { label: 'Show', run: () => place.go('settings') } });
    }
  });
  // There, it stands beside Save.
  $effect(() => {
    if (told && place.page === 'settings') untrack(() => toasts.dismiss(told));
  });
  $effect(() => {
    if (!asked || left !== undefined) return;
    const unsaved = settings.patch === undefined ? '' : JSON.stringify(keepable(settings.patch));
    keeper.KeepDraft(unsaved).catch((error: unknown) => toasts.show({ text: sentence(error), tone: 'bad' }));
  });
}
