// Package loopback tells what is this machine from what is another, by names, addresses and
// connections. Whatever it cannot be sure of is another.
package loopback

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Host says whether a host, without a port or brackets, can only be this machine: localhost or a loopback
// address. A name that some resolver leads here is another's.
func Host(host string) bool {
	return strings.EqualFold(host, "localhost") || IP(host)
}

// IP says whether text is a loopback address.
func IP(text string) bool {
	ip, err := netip.ParseAddr(text)
	return err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

// Addr is Host for host and port.
func Addr(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && Host(host)
}

// Reached says whether r came in at a loopback address. It is asked for each request, so that it does without text.
func Reached(r *http.Request) bool {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && at.Zone == "" && at.IP.IsLoopback()
}

// Caller says whether r was sent from this machine: to loopback, or to another address of it from the same.
func Caller(r *http.Request) bool {
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	return IP(from) || from != "" && from == LocalIP(r)
}

// LocalIP is the address of this machine at which r came in, "" where that is not known.
func LocalIP(r *http.Request) string {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return ""
	}
	ip, _, err := net.SplitHostPort(at.String())
	if err != nil {
		return ""
	}
	return ip
}
