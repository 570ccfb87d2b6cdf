package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/trailhook/trailhook/internal/require"
)

var updateScreenshots = flag.Bool("update-screenshots", false, "write the screenshots that the documentation shows")

// browser is a Chromium with one page open. What a page must not do fails the
// test at its end: an error or a warning on the console, a violation of its
// Content-Security-Policy, a request to any other server.
type browser struct {
	t      *testing.T
	ctx    context.Context
	origin string

	mu       sync.Mutex
	wrong    []string
	expected []string // parts of what the console may say
}

func openBrowser(t *testing.T, origin string) *browser {
	t.Helper()
	b := &browser{t: t, origin: origin}
	ctx, cancel := chromedp.NewContext(context.Background(), chromedp.WithListener(b.watch), chromedp.WithAllocatorOptions(
		chromedp.ExecPath(require.Program(t, "chromium", "apt-get install chromium")),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, chromedp.DisableGPU, // a container has neither
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(generous),
		chromedp.WindowSize(1280, 900),
	))
	b.ctx = ctx
	t.Cleanup(cancel)
	t.Cleanup(b.verdict)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900)); err != nil { // which starts the browser
		t.Fatalf("start the browser: %v", err)
	}
	_, err := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	if _, err2 := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return b
}

func (b *browser) watch(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.note("exception: %s %s", e.ExceptionDetails.Text, e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			var text []string
			for _, a := range e.Args {
				text = append(text, string(a.Value))
			}
			b.note("console %s: %s", e.Type, strings.Join(text, " "))
		}
	case *log.EventEntryAdded: // violations of the policy come here too
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.note("log %s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.origin+"/") && !strings.HasPrefix(e.Request.URL, "data:") { // the browser's own icons are data
			b.note("a request leaves the server: %s", e.Request.URL)
		}
	case *page.EventJavascriptDialogOpening:
		b.note("a script opened a dialog: %s", e.Message)
		go chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
	}
}

func (b *browser) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if !slices.ContainsFunc(b.expected, func(part string) bool { return strings.Contains(text, part) }) {
		b.wrong = append(b.wrong, text)
	}
}

// expect lets the console say something that has the part in it.
func (b *browser) expect(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, part)
}

func (b *browser) verdict() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.wrong {
		b.t.Error(w)
	}
}

// do runs actions, within a generous time for all of them.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, generous)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.fatalf("%v", err)
	}
}

// fatalf ends the test with where the browser is. What it shows is kept in the
// directory that TRAILHOOK_SCREENSHOTS names.
func (b *browser) fatalf(format string, args ...any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, generous)
	defer cancel()
	if directory := os.Getenv("TRAILHOOK_SCREENSHOTS"); directory != "" {
		if picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100)); err == nil {
			os.WriteFile(filepath.Join(directory, filepath.Base(b.t.Name())+".png"), picture, 0o600)
		}
	}
	at, _ := chromedp.Run(ctx, chromedp.Location())
	shown, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	b.t.Fatalf("the browser at %s: %s\n%.3000s", at, fmt.Sprintf(format, args...), shown)
}

// open goes to a path of the console.
func (b *browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.origin + path))
}

// path is where the browser is, with the query.
func (b *browser) path() string {
	b.t.Helper()
	return ask[string](b, `location.pathname + location.search`)
}

// ask evaluates an expression of JavaScript.
func ask[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, generous)
	defer cancel()
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.fatalf("%v", err)
	}
	return answer
}

// see waits until the page shows a text.
func (b *browser) see(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.body.innerText.includes(%q)`, text), "the page shows "+text)
}

// until waits until an expression of JavaScript is true, on this page or on one
// that the browser is on its way to.
func (b *browser) until(expression, what string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, generous)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`Boolean(document.body && (`+expression+`))`)); err == nil && yes {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.fatalf("after %s still not: %s", generous, what)
		}
	}
}

// activate is a function of JavaScript that clicks an element where nothing covers
// it, and notes in window.leaving whether that leads to another page.
const activate = `(found => {
	if (!found || document.readyState !== "complete") return false;
	found.scrollIntoView({ block: "center", behavior: "instant" });
	const box = found.getBoundingClientRect();
	const there = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
	if (!there || !found.contains(there) && !there.contains(found)) return false;
	const leads = e => window.leaving ||= !e.defaultPrevented && !e.target.closest("[download], [method=dialog]");
	const follows = e => e.target.closest("a[href]:not([href^='#'])") && leads(e);
	window.addEventListener("submit", leads);
	window.addEventListener("click", follows);
	found.click();
	window.removeEventListener("submit", leads);
	window.removeEventListener("click", follows);
	return true;
})`

// click clicks what a reader finds by its text or label: a link, a button or a
// summary. If it leads to another page, it returns when that is there.
func (b *browser) click(text string) {
	b.t.Helper()
	b.activate(fmt.Sprintf(`(wanted => {
		const name = e => (e.getAttribute("aria-label") || e.innerText || e.value || "").replace(/\s+/g, " ").trim();
		const all = [...document.querySelectorAll("a, button, summary, input[type=submit], [role=button]")].filter(e => e.checkVisibility());
		return all.find(e => name(e) === wanted) || all.find(e => name(e).startsWith(wanted));
	})(%q)`, text), text)
}

// press clicks the first element of a CSS selector, as click does.
func (b *browser) press(selector string) {
	b.t.Helper()
	b.activate(fmt.Sprintf(`document.querySelector(%q)`, selector), selector)
}

func (b *browser) activate(element, name string) {
	b.t.Helper()
	b.until(activate+`(`+element+`)`, "there is something to click: "+name)
	b.until(`!window.leaving && document.readyState !== "loading"`, "the page is there that "+name+" leads to")
}

// fill writes into the field, or chooses in the list, that has the label.
func (b *browser) fill(label, value string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`((wanted, value) => {
		const fields = [...document.querySelectorAll("input, textarea, select")].filter(e => e.checkVisibility() && !e.disabled);
		const name = e => (e.getAttribute("aria-label") || [...(e.labels || [])].map(l => l.innerText).join(" ")).replace(/\s+/g, " ").trim();
		const field = fields.find(e => name(e) === wanted) || fields.find(e => name(e).startsWith(wanted));
		if (!field || document.readyState !== "complete") return false;
		field.focus();
		if (field.matches("textarea, input:is([type=text], [type=search], [type=url], [type=email], [type=password], :not([type]))")) {
			field.select();
			if (value) document.execCommand("insertText", false, value); else document.execCommand("delete");
		} else {
			field.value = value;
			field.dispatchEvent(new Event("input", { bubbles: true }));
		}
		field.dispatchEvent(new Event("change", { bubbles: true }));
		return true;
	})(%q, %q)`, label, value), "there is a field with the label "+label)
}

// look sets how wide the window is, in CSS pixels, and whether colours are dark.
func (b *browser) look(width int64, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.do(chromedp.EmulateViewport(width, 900))
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}); err != nil {
		b.fatalf("%v", err)
	}
}

//go:embed testdata/accessibility.js
var accessibility string

// accessible fails the test where the page keeps somebody out who cannot see it,
// or cannot use a pointer, or reads it on a phone.
func (b *browser) accessible() {
	b.t.Helper()
	b.until(`document.readyState === "complete"`, "the page is there with its styles")
	for _, problem := range ask[[]string](b, accessibility) {
		b.t.Errorf("%s: %s", b.path(), problem)
	}
}

// screenshot writes a picture for the documentation, when it is to be written.
func (b *browser) screenshot(name string) {
	b.t.Helper()
	if !*updateScreenshots {
		return
	}
	quality := int64(70)
	shot, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
	if err == nil {
		err = os.WriteFile(filepath.Join("..", "..", "docs", "images", name+".webp"), shot.Data, 0o644)
	}
	if err != nil {
		b.fatalf("%v", err)
	}
}
