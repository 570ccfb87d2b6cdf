package demo

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/trailhook/trailhook/audit"
	"github.com/trailhook/trailhook/internal/server"
)

// step begins a step of the tutorial.
func (t *Tutorial) step(title string) { fmt.Fprintf(t.out, "\n# --- %s\n", title) }

func (t *Tutorial) comment(format string, args ...any) {
	fmt.Fprintf(t.out, "# "+format+"\n", args...)
}

// do shows a request, makes it, and shows what came back.
func (t *Tutorial) do(ctx context.Context, r request) (answer, error) {
	fmt.Fprintln(t.out, r.curl())
	a, err := r.send(ctx, t.client, t.variables)
	if err != nil {
		return a, err
	}
	t.comment("%s in %s", a.status, a.elapsed.Round(100*time.Microsecond))
	if body := bytes.TrimSpace(a.body); len(body) > 0 {
		t.comment("%s", body)
	}
	return a, nil
}

// take keeps a value of an answer in a variable, and shows how.
func (t *Tutorial) take(name string, a answer, path ...string) error {
	value, err := a.field(path...)
	if err != nil {
		return err
	}
	t.variables[name] = value
	t.export(name)
	return nil
}

func (t *Tutorial) export(name string) {
	fmt.Fprintf(t.out, "export %s='%s'\n", name, t.variables[name])
}

// printLines shows the lines that were found, newest first, each with the
// verdict on its signature: the SIEM's, and ours where it differs.
func (t *Tutorial) printLines(lines Lines, keys *audit.KeySet) {
	for _, line := range lines {
		verdict := line.Verdict
		if own, _ := keys.Verify([]byte(line.Raw)); own.String() != verdict {
			verdict += ", but checked here: " + own.String()
		}
		t.comment("")
		t.comment("signature %s", verdict)
		t.comment("%s", strings.ReplaceAll(line.Raw, "\n", " "))
	}
	t.comment("")
}

func (t *Tutorial) printKept(srv *server.Server) {
	t.comment("")
	t.comment("It keeps running until Ctrl-C; then everything is removed.")
	t.comment("Console   %s  (access id %s, access key %s; or the token)", srv.SIEMURL, srv.AccessID, srv.AccessKey)
	t.comment("API       %s  (regional %s, global %s)", srv.APIURL, t.regional, t.global)
	t.comment("SIEM      %s", srv.SIEMURL)
	t.comment("Metrics   %s/metrics", srv.OpsURL)
	t.comment("Token     %s", srv.Token)
	t.comment("Authority %s  (trust it in the browser, or accept its warning)", srv.CAFile)
}
