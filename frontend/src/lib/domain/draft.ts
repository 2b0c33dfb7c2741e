// What is unsaved on the pages, as one change of the settings: what is changed in the settings, and of single models the entries of
// models.each, each with what is changed in it alone.
import type { ModelSettings } from './modelsettings';
import { merged, patchAt, valueAt, type Json } from './patch';

const single = 'models.each';

/** All of it, or undefined when there is nothing. */
export function draftOf(settings: Json | undefined, models: readonly ModelSettings[]): Json | undefined {
  return models.length > 0 ? merged(settings ?? {}, patchAt(single, models as unknown as Json)) : settings;
}

/** The way back. */
export function partsOf(draft: Json): { settings: Json; models: readonly ModelSettings[] } {
  const models = valueAt(draft, single);
  if (!Array.isArray(models)) return { settings: draft, models: [] };
  return { settings: merged(draft, patchAt(single, null)), models: models as unknown as ModelSettings[] };
}
