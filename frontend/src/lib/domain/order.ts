// In which order the audit's records are listed, and how the address writes that.

export type SortKey = 'started_at' | 'model' | 'backend' | 'endpoint' | 'duration_ms' | 'total_tokens';

export interface Order {
  sort: SortKey;
  order: 'asc' | 'desc';
}

const keys: readonly SortKey[] = ['started_at', 'model', 'backend', 'endpoint', 'duration_ms', 'total_tokens'];

export const newestFirst: Order = { sort: 'started_at', order: 'desc' };

export const isNewestFirst = (o: Order): boolean => o.sort === 'started_at' && o.order === 'desc';

/** Reads the order out of an address; what means nothing there is left out. */
export function orderFrom(query: URLSearchParams): Order {
  const sort = keys.find((k) => k === query.get('sort')) ?? 'started_at';
  const order = query.get('order');
  return { sort, order: order === 'asc' || order === 'desc' ? order : natural(sort) };
}

/** Adds the order to an address; newest first is what one gets without. */
export function withOrder(query: URLSearchParams, o: Order): URLSearchParams {
  const to = new URLSearchParams(query);
  if (o.sort !== newestFirst.sort) to.set('sort', o.sort);
  if (o.order !== natural(o.sort)) to.set('order', o.order);
  return to;
}

/** What a press on a column's head gives: its own order, then the other way round. */
export const pressed = (o: Order, sort: SortKey): Order =>
  o.sort === sort ? { sort, order: o.order === 'asc' ? 'desc' : 'asc' } : { sort, order: natural(sort) };

/** Names from A on; times and figures from the greatest down. */
const natural = (sort: SortKey): Order['order'] => (['model', 'backend', 'endpoint'].includes(sort) ? 'asc' : 'desc');
