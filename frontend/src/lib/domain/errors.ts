// What an error_type of a record means to a person, and what to do about it. The kinds are the server's.
import type { AuditRecord } from '../api/types';

export interface Explanation {
  what: string;
  todo: string;
}

const known: Record<string, Explanation> = {
  'invalid-json': { what: 'The tool sent something that is not JSON.', todo: 'Look at what the tool sends; most often it is a script with a quote too few.' },
  'invalid-request': { what: 'A field was missing or had a wrong value.', todo: 'The answer that the tool got names each field; mend it there.' },
  unauthorized: { what: 'The tool sent no key, or a wrong one.', todo: 'Give the tool a valid key.' },
  'foreign-origin': { what: 'A web page of another origin asked.', todo: 'If you trust the page, add its origin under allowed origins in the settings.' },
  'not-found': { what: 'Nothing is served at the path.', todo: 'Check the address in the tool: it ends in /v1.' },
  'model-not-found': { what: 'No local model has this name, and no route leads to a provider for it.', todo: 'Choose a model that the tool’s list shows, or add a route for the name in the settings.' },
  'method-not-allowed': { what: 'The path does not take this method.', todo: 'Check the tool: it uses the address in another way than the API.' },
  conflict: { what: 'What was asked contradicts the present state.', todo: 'Try again; something else changed in the meantime.' },
  'foreign-host': { what: 'The tool spoke to another host name than this machine’s.', todo: 'Use 127.0.0.1 or localhost in the tool’s address.' },
  'body-too-large': { what: 'The request was larger than the limit.', todo: 'Send less, or raise the largest body in the settings.' },
  'unsupported-media-type': { what: 'The request was not marked as JSON.', todo: 'Have the tool send Content-Type: application/json.' },
  'context-length-exceeded': { what: 'The prompt has more tokens than the model can hold.', todo: 'Send less, use a model with a larger context, or raise the context size of llama.cpp in the settings.' },
  'upstream-refused': { what: 'The engine or provider called the request invalid.', todo: 'The model may not know what was asked for, such as tools or images. Try another model.' },
  'rate-limited': { what: 'The provider takes no more requests for now.', todo: 'Wait a little, send fewer at once, or use a local model.' },
  cancelled: { what: 'The tool left, or somebody cancelled the request, before the answer was complete.', todo: 'Nothing, if that was you. If not, the tool’s own time limit may be too short.' },
  internal: { what: 'A defect in mlxbar.', todo: 'The log in the data folder has the cause under the request id.' },
  'upstream-key': { what: 'The provider’s key was refused, or could not be had.', todo: 'Test the provider in the settings: it says whether its key is missing, locked away or not accepted.' },
  'keychain-unavailable': { what: 'The system’s keychain is locked, or there is none.', todo: 'Unlock it and try again, or name a variable in the provider’s api_key_env.' },
  'upstream-overloaded': { what: 'The provider has too many requests of all its clients.', todo: 'Try again in a while, or give the route another target.' },
  'upstream-failed': { what: 'The engine or provider answered with an error of its own.', todo: 'Try again. If it goes on, look at the provider’s status page or at the engine’s log.' },
  'upstream-unreachable': { what: 'The provider could not be reached.', todo: 'Check the network, and whether the server at the provider’s address runs.' },
  'upstream-cut': { what: 'The connection broke in the middle of the answer.', todo: 'Try again. What came before the break is not the whole answer.' },
  'upstream-malformed': { what: 'The provider answered with something that is not its protocol.', todo: 'Check the provider’s address and protocol under Providers in the settings.' },
  'engine-unavailable': { what: 'The model could not be loaded.', todo: 'The overview says why beside the model. Often it is memory: unload another model, or use a smaller one.' },
  'engine-stopped': { what: 'The engine ended while it answered.', todo: 'Try again: it is started anew. If it goes on, the model may need more memory than there is.' },
  'audit-unavailable': { what: 'The audit could not be written, and nothing is answered unrecorded.', todo: 'See whether the disk of the data folder is full.' },
  'shutting-down': { what: 'The server was stopping.', todo: 'Start it and try again.' },
  'answer-timeout': { what: 'No answer came in time, nor from the other targets.', todo: 'Look at the targets of the model’s route: one that hangs is best left out, or raise the limit under Request Timeouts.' },
  'first-token-timeout': { what: 'No token came in time.', todo: 'A model that is loaded first, or a long prompt, takes a while: raise First token under Request Timeouts, or ask again.' },
  'connect-timeout': { what: 'The provider took no connection in time.', todo: 'Check the network and the provider’s address, or raise Connect under Request Timeouts.' },
  'local-only': { what: 'The request would have left this machine, and Local only forbids that.', todo: 'Choose a model of this machine, or switch Local Only off in the settings.' },
  'hub-not-found': { what: 'The Hugging Face Hub has no such repository or file, or does not show it without a token.', todo: 'Check the name. A private model needs a token that may see it.' },
  'hub-refused': { what: 'The Hugging Face Hub refused the download.', todo: 'Accept the model’s terms on its page there, and set HF_TOKEN or run mlxbar models login.' },
  'hub-failed': { what: 'The Hugging Face Hub could not be reached or failed.', todo: 'Check the network and try again; what is downloaded already stays.' },
  'disk-full': { what: 'The disk has no room for the download.', todo: 'Remove models that you do not need, or something else, and try again.' },
  'model-too-large': { what: 'The memory that models may take does not hold the model.', todo: 'Give it a smaller context, unpin a model, take a smaller one, or let models take more memory in the settings.' },
  'queue-full': { what: 'Too many requests wait for the model to be loaded.', todo: 'Wait a little and send fewer at once, or let more wait in the settings.' },
  'circuit-open': { what: 'Every way to the model failed several times in a row, so it is left alone for half a minute.', todo: 'See what failed before; mend that, or add another target to the route.' },
  'malformed-request': { what: 'The tool sent something that is not HTTP.', todo: 'Check the tool’s address: it begins with http, not https.' },
  'headers-too-large': { what: 'The headers of the request were larger than 64 KiB.', todo: 'Have the tool send less in its address and headers.' },
  'expectation-failed': { what: 'The tool expected something that no server of its kind does.', todo: 'Have it send no Expect header.' },
  'unsupported-encoding': { what: 'The tool sent its body in an encoding that is not known here.', todo: 'Have it send a Content-Length, or chunks.' },
  'unsupported-version': { what: 'The tool spoke a version of HTTP that is not known here.', todo: 'Have it speak HTTP/1.1.' },
  'invalid-api-key': { what: 'The tool sent no API key, or one that mlxbar did not give out.', todo: 'Give the tool a key: one is made under API Keys in the settings.' },
  'model-not-allowed': { what: 'The tool’s API key is for other models.', todo: 'Choose one of its models, or make a key that may ask this one.' },
  'not-offered': { what: 'The provider, or the model, has no such endpoint.', todo: 'Use a model that has it: embeddings, for one, need a model of their own.' },
  timeout: { what: 'The request took longer than its limit.', todo: 'Raise the limit under Request Timeouts, or ask for a shorter answer.' },
};

const interrupted: Explanation = {
  what: 'The server ended in the middle of this request, by a crash or a loss of power.',
  todo: 'Send it again. If the server ends by itself, its log in the data folder says why.',
};

/** The explanation of how a request ended; null for one that runs or went well. */
export function explain(r: Pick<AuditRecord, 'status' | 'error_type'>): Explanation | null {
  if (r.status === 'running' || r.status === 'success') return null;
  if (r.status === 'interrupted') return interrupted;
  return (
    known[r.error_type] ??
    known[r.status] ?? { what: `It ended with the error ${r.error_type || 'of an unknown kind'}.`, todo: 'The log in the data folder has more under the request id.' }
  );
}

export interface Group extends Explanation {
  /** The latest of its records. */
  record: AuditRecord;
  count: number;
}

/** Failures, newest first, with those of the same kind and model put together. */
export function grouped(records: readonly AuditRecord[]): Group[] {
  const groups = new Map<string, Group>();
  for (const record of records) {
    const explanation = explain(record);
    if (!explanation) continue;
    const key = `${record.status} ${record.error_type} ${record.model}`;
    const group = groups.get(key);
    if (group) group.count++;
    else groups.set(key, { ...explanation, record, count: 1 });
  }
  return [...groups.values()];
}
