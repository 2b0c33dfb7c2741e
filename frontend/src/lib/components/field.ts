// What a Field hands to the control in it, and the looks that text controls share.

export interface ControlProps {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': boolean;
}

export const inputLooks = 'h-7 min-w-0 rounded-s border border-field bg-panel px-2 aria-invalid:border-bad';

/** Those of a text of several lines. */
export const areaLooks = 'min-w-0 resize-none rounded-s border border-field bg-panel px-2.5 py-1.5 placeholder:text-faint';

/** A fault as a sentence. */
export const faultOf = (label: string, fault: string): string => `${label} ${fault}${/[.!?]$/.test(fault) ? '' : '.'}`;
