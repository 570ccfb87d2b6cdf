package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/trailhook/trailhook/internal/broker"
	"github.com/trailhook/trailhook/internal/server"
)

// asTrailhook makes the test's own binary run as trailhook: the real command
// line in a process of its own, built with the race detector where the test is.
const asTrailhook = "TRAILHOOK_TEST_AS_COMMAND"

// ownedBy is the pid of a test's process. What it starts in the background ends
// with it, however it ends.
const ownedBy = "TRAILHOOK_TEST_OWNED_BY"

func TestMain(m *testing.M) {
	if os.Getenv(asTrailhook) != "" {
		go endWithOwner()
		os.Exit(run())
	}
	// The tests wait for processes more than they compute. -parallel still overrides it.
	flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	testscript.Main(m, map[string]func(){
		"trailhook": func() { os.Exit(run()) },
	})
}

func endWithOwner() {
	owner, err := strconv.Atoi(os.Getenv(ownedBy))
	if err != nil {
		return
	}
	for range time.Tick(time.Second) {
		if errors.Is(syscall.Kill(owner, 0), syscall.ESRCH) {
			os.Exit(3)
		}
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"served": served, "inuse": inUse, "masterkey": masterKeyFrom, "siem": siemWith, "maystart": mayStart, "post": post,
			"addresses": addresses, "ready": ready, "metric": metric, "call": call, "receiver": receiver, "appears": appears, "terminate": terminate,
		},
		Setup: func(env *testscript.Env) error {
			// The temporary folders of a command belong to its test.
			env.Setenv("TMPDIR", env.WorkDir)
			return nil
		},
	})
}

// served is the script command "served DIR": a server has run on the data
// directory.
func served(ts *testscript.TestScript, _ bool, args []string) {
	s, err := server.Start(context.Background(), server.Config{
		DataDir: ts.MkAbs(args[0]), APIAddr: "127.0.0.1:0", Region: "us", TLS: "off", Version: "test", Logger: slog.New(slog.DiscardHandler),
	})
	ts.Check(err)
	ts.Check(s.Shutdown())
}

// inUse is the script command "inuse DIR": from here on somebody has the data
// directory.
func inUse(ts *testscript.TestScript, _ bool, args []string) {
	b, err := broker.Open(context.Background(), broker.Options{Dir: ts.MkAbs(args[0]), Logger: slog.New(slog.DiscardHandler)})
	ts.Check(err)
	ts.Defer(b.Close)
}

// masterKeyFrom is the script command "masterkey FILE": the file's text is the master
// key from the environment from here on.
func masterKeyFrom(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("TRAILHOOK_MASTER_KEY", ts.ReadFile(args[0]))
}
