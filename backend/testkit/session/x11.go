package session

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// Quit asks a window to close, as its close button does. xdotool of Debian 12 can only destroy
// one, which its program takes for a crash; so these are the four messages of the X protocol that
// it takes.
func (s *Session) Quit(window string) error {
	id, err := strconv.ParseUint(window, 10, 32)
	if err != nil {
		return fmt.Errorf("the window's number: %w", err)
	}
	conn, err := net.Dial("unix", "/tmp/.X11-unix/X"+strings.TrimPrefix(s.display, ":"))
	if err != nil { // where that folder could not be made there is only the abstract socket
		conn, err = net.Dial("unix", "@/tmp/.X11-unix/X"+strings.TrimPrefix(s.display, ":"))
	}
	if err != nil {
		return fmt.Errorf("reach the screen: %w", err)
	}
	defer conn.Close()
	if err := hello(conn); err != nil {
		return fmt.Errorf("reach the screen: %w", err)
	}
	protocols, err := atom(conn, "WM_PROTOCOLS")
	if err != nil {
		return err
	}
	deleteWindow, err := atom(conn, "WM_DELETE_WINDOW")
	if err != nil {
		return err
	}
	const sendEvent, clientMessage = 25, 33
	send := []byte{sendEvent, 0, 11, 0}
	send = binary.LittleEndian.AppendUint32(send, uint32(id)) // to
	send = binary.LittleEndian.AppendUint32(send, 0)          // whatever it listens to
	send = append(send, clientMessage, 32, 0, 0)
	for _, word := range []uint32{uint32(id), protocols, deleteWindow, 0, 0, 0, 0} {
		send = binary.LittleEndian.AppendUint32(send, word)
	}
	if _, err := conn.Write(send); err != nil {
		return fmt.Errorf("ask the window to close: %w", err)
	}
	_, err = atom(conn, "WM_PROTOCOLS") // its answer says that what went before has arrived
	return err
}

// hello opens the connection: little endian, protocol 11.0, no password on a screen of one's own.
func hello(conn net.Conn) error {
	if _, err := conn.Write([]byte{'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return err
	}
	head := make([]byte, 8)
	if _, err := io.ReadFull(conn, head); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, conn, 4*int64(binary.LittleEndian.Uint16(head[6:]))); err != nil {
		return err
	}
	if head[0] != 1 {
		return fmt.Errorf("it refuses with code %d", head[0])
	}
	return nil
}

// atom gives the number of a name.
func atom(conn net.Conn, name string) (uint32, error) {
	const internAtom = 16
	padded := (len(name) + 3) / 4 * 4
	ask := []byte{internAtom, 0, byte(2 + padded/4), 0, byte(len(name)), 0, 0, 0}
	ask = append(ask, name...)
	ask = append(ask, make([]byte, padded-len(name))...)
	if _, err := conn.Write(ask); err != nil {
		return 0, fmt.Errorf("ask the screen for %s: %w", name, err)
	}
	reply := make([]byte, 32)
	if _, err := io.ReadFull(conn, reply); err != nil {
		return 0, fmt.Errorf("ask the screen for %s: %w", name, err)
	}
	if reply[0] != 1 {
		return 0, fmt.Errorf("ask the screen for %s: error %d", name, reply[1])
	}
	return binary.LittleEndian.Uint32(reply[8:]), nil
}
