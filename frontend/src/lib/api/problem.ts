import type { Problem, ProblemField } from './types';

/** A request that failed, with what the server said about it. */
export class ApiError extends Error {
  readonly title: string;
  readonly kind: string; // the last part of the problem's type, such as server-stopped
  readonly status: number;
  readonly requestId: string;
  readonly fields: readonly ProblemField[];

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = 'ApiError';
    this.title = problem.title;
    this.kind = problem.type.split('/').pop() ?? '';
    this.status = problem.status;
    this.requestId = problem.request_id ?? '';
    this.fields = problem.errors ?? [];
  }
}

/** The server did not answer at all. */
export const unreachable = (): ApiError =>
  new ApiError({ type: '/problems/server-stopped', title: 'Server stopped', status: 503, detail: 'The server does not answer.' });

/** What an answer that is no success says. */
export async function problemOf(response: Response): Promise<ApiError> {
  const fallback: Problem = { type: 'about:blank', title: response.statusText, status: response.status, detail: '' };
  if (response.headers.get('content-type')?.includes('json')) {
    try {
      return new ApiError({ ...fallback, ...((await response.json()) as Partial<Problem>) });
    } catch {
      // It said JSON and sent something else; its status is all there is.
    }
  }
  fallback.detail = `The server answered with status ${response.status}.`;
  return new ApiError(fallback);
}

export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError';

/** A sentence for a person about anything that was thrown. */
export function sentence(error: unknown): string {
  if (error instanceof Error) return error.message;
  return String(error); // the window's bindings reject with a string
}
