package console

import (
	"context"
	"crypto/rand"
	"net/http"
	"regexp"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// testLine is how the wait for a test line went.
type testLine struct {
	ID          string
	Address     string // of the search that finds it
	Quarantined bool
	Problem     *problem // why it was not found
	Again       string   // address of another look
}

// testField is the field of a test line by which it is found.
const testField = "trailhook_test"

// sendTestLine posts a line of the console's own making to the source's real
// address, by the way that any sender's takes. Of a source that demands an access
// key, that of who is signed in is the one.
func sendTestLine(v *visit) error {
	s, err := v.source()
	if err != nil {
		return err
	}
	id := rand.Text()
	line := map[string]string{
		testField: id, "message": "A test line from the console", "time": v.console.now().UTC().Format(time.RFC3339Nano),
	}
	if err := v.send(v.ctx(), siemHalf, http.MethodPost, pathOf("receiver", "v1", "http", s.Token), line, nil); err != nil {
		return err
	}
	return v.redirect("/sources/"+decimal(s.ID)+"?line="+id+"#test", "")
}

var testLineForm = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// testLineID is the line that the address names, if it can be one of ours.
func (v *visit) testLineID() string {
	if id := v.query("line"); testLineForm.MatchString(id) {
		return id
	}
	return ""
}

// showTestLine is the part of the page that a script fetches: it is there once the
// line is found.
func showTestLine(v *visit) error {
	id := v.testLineID()
	if id == "" {
		return &apiError{half: siemHalf, Status: http.StatusNotFound, Message: "the address names no test line"}
	}
	s, err := v.source()
	if err != nil {
		return err
	}
	return v.fragment("source", "found-line", v.awaitLine(s.Collector.Name, s.Name, id))
}

// runsScripts says whether the browser has run ours.
func (v *visit) runsScripts() bool {
	cookie, err := v.r.Cookie(scriptsCookie)
	return err == nil && cookie.Value == "1"
}

// linePatience is how long a test line is looked for, with pauses that grow: each
// look is a search, which leaves an audit event.
const (
	linePatience   = 20 * time.Second
	firstLinePause = 150 * time.Millisecond
)

// awaitLine looks for a test line until it is found.
func (v *visit) awaitLine(collector, source, id string) *testLine {
	ctx, cancel := context.WithTimeout(v.ctx(), linePatience)
	defer cancel()
	t := &testLine{ID: id, Again: v.r.URL.Path + "?line=" + id}
	for pause := firstLinePause; ; pause = min(2*pause, 2*time.Second) {
		found, err := v.lookForLine(ctx, t, collector, source)
		if found {
			return t
		}
		if err != nil && ctx.Err() == nil {
			t.Problem = v.problemOf(err)
			return t
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			t.Problem = &problem{
				Title: "The line has not come yet", What: "It was taken, and is on disk, but no search has found it within " + plural(int(linePatience.Seconds()), "second", "seconds") + ".",
				Try: "The server may be busy with others: look again in a moment.",
			}
			return t
		}
	}
}

// lookForLine searches where the line is kept, and where it is set apart.
func (v *visit) lookForLine(ctx context.Context, t *testLine, collector, source string) (bool, error) {
	of := search.Or{Terms: []search.Expr{
		search.Compare{Field: "_source", Value: search.Literal(source)},
		search.Compare{Field: "_source", Value: search.Literal(quarantined(source))},
	}}
	a := asked{Query: search.And{Terms: []search.Expr{
		search.Compare{Field: "_collector", Value: search.Literal(collector)}, of,
		search.Compare{Field: testField, Value: search.Literal(t.ID)},
	}}.String(), From: "-1h"}
	lines, _, err := v.objects(ctx, a.parameters(), 1)
	if err != nil || len(lines) == 0 {
		return false, err
	}
	t.Address, t.Quarantined = a.at("/"), lines[0].text("_source") == quarantined(source)
	return true, nil
}
