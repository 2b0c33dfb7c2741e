// Package clients holds that the official SDKs take what package convert writes. It
// has tests only, and is apart because the SDKs take long to build.
package clients
