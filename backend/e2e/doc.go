// Package e2e holds the tests of the whole path: the real program as a process, the
// real engine with the starter model, a scripted upstream where one must misbehave,
// and OpenAI's official client on the other end.
package e2e
