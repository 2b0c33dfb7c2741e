// Which model the page proposes. What stays on this machine goes before what leaves it.

export interface ModelName {
  id: string;
  /** Whether it runs here; else a route leads it to a provider. */
  local: boolean;
  /** The provider that it is at, where that is known. */
  provider?: string;
}

/** The one chosen before, if it is still there, else one that is loaded, else one that runs here. */
export function proposed(models: ModelName[], chosen: string, loaded: string[]): string {
  if (models.some((m) => m.id === chosen)) return chosen;
  const local = models.filter((m) => m.local);
  const first = local.find((m) => loaded.includes(m.id)) ?? local[0] ?? models[0];
  return first?.id ?? '';
}
