// The command palette: open or not, and who had the keyboard before.

class Palette {
  open = $state(false);

  toggle(): void {
    this.open = !this.open;
  }
}

export const palette = new Palette();

/** What the palette can do. */
export interface Command {
  id: string;
  label: string;
  /** Under which heading it stands. */
  group: 'Pages' | 'Actions' | 'Models' | 'Settings';
  /** Where it leads, or what it does in few words. */
  hint?: string;
  run: () => void | Promise<void>;
}
