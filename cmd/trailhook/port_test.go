package main

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// freePort is a port that [findPort] has found.
func freePort(tb testing.TB) string {
	tb.Helper()
	port, err := findPort()
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

// findPort finds a port of this machine that nobody has, for TCP and UDP: one below those
// that the system gives to outgoing connections, so that none of these takes it until
// a server does.
func findPort() (string, error) {
	for range 1000 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		address := net.JoinHostPort("127.0.0.1", port)
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", address)
		l.Close()
		if err != nil {
			continue
		}
		u.Close()
		return port, nil
	}
	return "", errors.New("no port of 127.0.0.1 is free")
}
