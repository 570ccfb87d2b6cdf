package quickstart

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Cleanup takes away what [Make] has made: the control plane first, while its
// server still runs, then the processes, then their data. A data directory that
// the user named stays.
func Cleanup(ctx context.Context, o Options) error {
	r, err := begin(o)
	if err != nil {
		return err
	}
	defer r.state.unlock()
	if _, err := os.Stat(r.state.dir); errors.Is(err, fs.ErrNotExist) {
		r.say("There is nothing to clean.")
		return nil
	}
	if r.state.API != "" {
		if err := r.choose(); err != nil {
			return err
		}
	}
	if err := r.removeControlPlane(ctx); err != nil {
		return err
	}
	if err := r.stopProcesses(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(r.state.dir); err != nil {
		return fmt.Errorf("remove quickstart's state: %w", err)
	}
	r.say("%s was removed.", r.state.dir)
	return nil
}

// removeControlPlane deletes the control plane that was made, unless it goes with
// its server's data.
func (r *run) removeControlPlane(ctx context.Context) error {
	server := r.state.Server
	if r.state.Mark == "" || server != nil && server.DataDir == r.state.file("server") {
		return nil
	}
	if server != nil && !exists(server.DataDir) {
		return nil // and with it the control plane
	}
	answers, err := r.answersAtLast(ctx)
	switch {
	case err != nil:
		return err
	case !answers && server != nil:
		r.say("The server does not run, so that the control plane %s stays in %s.", Name, server.DataDir)
		return nil
	case !answers:
		return fmt.Errorf("the control plane %s of %s cannot be deleted, since no server answers there: start it, or remove %s if there is none any more", Name, r.to.URL, r.state.dir)
	}
	if r.to.Token, err = r.token(); err != nil {
		return err
	}
	if err := r.deleteControlPlane(ctx); err != nil {
		return err
	}
	r.state.Mark = ""
	return r.state.save()
}

// stopProcesses ends what was started and still runs.
func (r *run) stopProcesses(ctx context.Context) error {
	started := []struct{ what, dataDir string }{{"data plane", r.state.file("data-plane")}, {"server", r.state.file("server")}}
	if s := r.state.Server; s != nil && s.DataDir != started[1].dataDir {
		started[1].dataDir = s.DataDir
		if !exists(s.DataDir) {
			r.say("The server's data directory %s is gone, by whose lock it is known: if pid %d is still that server, end it yourself.", s.DataDir, s.PID)
		}
	}
	for _, one := range started {
		pid, err := stop(ctx, one.dataDir)
		if err != nil {
			return fmt.Errorf("the %s: %w", one.what, err)
		}
		if pid != 0 {
			r.say("The %s (pid %d) has ended.", one.what, pid)
		}
	}
	if s := r.state.Server; s != nil && s.DataDir != r.state.file("server") && exists(s.DataDir) {
		r.say("The server's data stays in %s.", s.DataDir)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
