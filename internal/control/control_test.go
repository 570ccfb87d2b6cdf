package control

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAClientReachesTheServerOfItsDirectory(t *testing.T) {
	for name, dir := range map[string]string{
		"short": t.TempDir(),
		"long":  filepath.Join(t.TempDir(), strings.Repeat("long/", 30)),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time in place of the former one's socket
				listener, err := Listen(dir)
				if err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(filepath.Join(dir, Name))
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%v, %v", info, err)
				}
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") })}
				go server.Serve(listener)
				response, err := Client(dir).Get("http://trailhook/")
				if err != nil {
					t.Fatal(err)
				}
				answer, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || string(answer) != "here" {
					t.Errorf("%q, %v", answer, err)
				}
				server.Close()
			}
			if _, err := Client(dir).Get("http://trailhook/"); !errors.Is(err, ErrNoServer) {
				t.Errorf("a server that has ended: %v", err)
			}
		})
	}
	if _, err := Client(t.TempDir()).Get("http://trailhook/"); !errors.Is(err, ErrNoServer) {
		t.Errorf("an empty directory: %v", err)
	}
}
