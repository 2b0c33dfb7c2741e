// Package archtest holds the structure of the project: which package may import
// which, which may do I/O, how long a file may be. It has tests only; a failing
// one says what to do about it.
package archtest
