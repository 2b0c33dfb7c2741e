// Where the pages go when the server takes another address.

/**
 * The address to go to, or "" to stay: only who was at the server's own address follows it. A page that
 * came another way (the window's proxy, a development server) stays where it is.
 */
export function follow(here: URL, before: string, now: string): string {
  if (!before || !now || before === now || here.origin !== new URL(before).origin) return '';
  return `${new URL(now).origin}${here.pathname}${here.hash}`;
}
