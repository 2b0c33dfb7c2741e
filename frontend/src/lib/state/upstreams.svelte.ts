// Providers and routes as somebody is changing them: they are settings like others, saved by the same button.
import { getModels } from '../api/client';
import type { ModelName } from '../domain/models';
import type { Json } from '../domain/patch';
import { changed, leadsTo, renamed, replaced, without, type Place, type Provider, type Route } from '../domain/routes';
import { settings } from './settings.svelte';
import { toasts } from './toast.svelte';

class Upstreams {
  readonly providers = $derived((settings.draft?.providers ?? []) as readonly Provider[]);
  readonly routes = $derived((settings.draft?.routes ?? []) as readonly Route[]);
  /** The models that can be asked for, to propose names. */
  models = $state.raw<readonly ModelName[]>([]);
  readonly modelNames: readonly string[] = $derived([...new Set(this.models.map((m) => m.id))]);

  /** Names to propose for a model at a provider. */
  modelsAt(provider: string): string[] {
    const known = this.models.filter((m) => (provider === 'local' ? m.local : m.provider === provider));
    return known.map((m) => m.id).filter((id) => !id.includes('*'));
  }

  async loadModels(): Promise<void> {
    try {
      this.models = await getModels();
    } catch {
      this.models = []; // they are only proposed; what stops them from being read is told elsewhere
    }
  }

  setProviders(list: readonly Provider[], entry = 'providers'): void {
    settings.set('providers', list as unknown as Json, entry);
  }

  setRoutes(list: readonly Route[], entry = 'routes'): void {
    settings.set('routes', list as unknown as Json, entry);
  }

  changeProvider(at: number, change: Partial<Provider>): void {
    const provider = this.providers[at];
    if (!provider) return;
    this.setProviders(replaced(this.providers, at, changed(provider, change, ['api_key_env'])), `providers[${at}]`);
  }

  /** Gives a provider another name, and takes those targets of routes along that led to it. */
  renameProvider(at: number, name: string, followers: readonly Place[]): void {
    this.changeProvider(at, { name });
    if (followers.length > 0) this.setRoutes(renamed(this.routes, followers, name));
  }

  changeRoute(at: number, change: Partial<Route>): void {
    const route = this.routes[at];
    if (!route) return;
    const next = changed(route, change, ['spread']);
    if (next.spread === 'order') delete next.spread; // which is what no word about it means
    this.setRoutes(replaced(this.routes, at, next), `routes[${at}]`);
  }

  removeProvider(at: number): void {
    const [before, provider] = [this.providers, this.providers[at]];
    if (!provider) return;
    this.setProviders(without(before, at));
    const led = new Set(leadsTo(this.routes, provider.name).map(([route]) => route)).size;
    const still = led === 0 ? '' : led === 1 ? ' One route still leads to it.' : ` ${led} routes still lead to it.`;
    this.#undoable(`Removed ${provider.name}.${still}`, () => {
      if (this.providers.some((p) => p.name === provider.name)) return;
      const list = [...this.providers];
      list.splice(Math.min(at, list.length), 0, provider);
      this.setProviders(list);
      settings.forgive('routes');
    });
  }

  removeRoute(at: number): void {
    const route = this.routes[at];
    if (!route) return;
    this.setRoutes(without(this.routes, at));
    this.#undoable(`Removed the route of ${route.model || 'no model yet'}.`, () => {
      const list = [...this.routes];
      list.splice(Math.min(at, list.length), 0, route);
      this.setRoutes(list);
    });
  }

  /** Says what is removed; nothing is in force before it is saved, so it can be had back until then at the least. */
  #undoable(text: string, undo: () => void): void {
    toasts.show({ text, action: { label: 'Undo', run: undo } });
  }
}

export const upstreams = new Upstreams();
