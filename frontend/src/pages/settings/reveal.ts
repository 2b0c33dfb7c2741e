/** Brings what a link leads to into view and gives it the keyboard: a setting's control, or a section. */
export function reveal(spot: string): void {
  const place = document.querySelector<HTMLElement>(`[data-spot="${CSS.escape(spot)}"]`);
  if (!place) return;
  place.scrollIntoView({ block: 'start' });
  const control = place.hasAttribute('tabindex') ? place : place.querySelector<HTMLElement>('input, select, textarea, button');
  control?.focus({ preventScroll: true });
  if (control instanceof HTMLInputElement) control.select(); // so that what is typed takes its place
}

/** Gives the keyboard to the first control that holds something wrong. */
export function revealFault(): void {
  const control = document.querySelector<HTMLElement>('main [aria-invalid="true"]');
  control?.scrollIntoView({ block: 'center' });
  control?.focus({ preventScroll: true });
}
