package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// document is a page of the documentation.
type document struct {
	name   string // from the repository's root: docs/search.md
	text   string
	blocks []block
}

// block is a fenced block of a page.
type block struct {
	line  int    // of its fence, from 1
	info  string // what stands behind the fence: "sh", "sh norun", "text", "json", …
	text  string
	close bool // it follows the block before with nothing in between
}

// runs says whether the block is a piece of a shell's session that a test runs.
func (b block) runs() bool { return b.info == "sh" }

// shown says whether the block is what the block before it prints.
func (b block) shown() bool { return b.close && (b.info == "text" || b.info == "json") }

// firstLine is what a block is called by.
func (b block) firstLine() string {
	line, _, _ := strings.Cut(b.text, "\n")
	return line
}

// made says whether the page is made from the program, with its own test.
func (p document) made() bool { return strings.Contains(p.text, "This page is made from ") }

// pages are README.md and all of docs.
func pages(t *testing.T) []document {
	t.Helper()
	const root = "../../"
	files, err := filepath.Glob(root + "docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	var all []document
	for _, file := range append([]string{root + "README.md"}, files...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, document{name: strings.TrimPrefix(file, root), text: string(text), blocks: blocksOf(string(text))})
	}
	return all
}

var fence = regexp.MustCompile("^( *)```(.*)$")

func blocksOf(text string) []block {
	var (
		blocks []block
		open   *block
		indent string
		near   bool // nothing but empty lines since the last block
	)
	for i, line := range strings.Split(text, "\n") {
		switch match := fence.FindStringSubmatch(line); {
		case match != nil && open == nil:
			open, indent = &block{line: i + 1, info: strings.TrimSpace(match[2]), close: near}, match[1]
		case match != nil:
			blocks, open, near = append(blocks, *open), nil, true
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		case line != "":
			near = false
		}
	}
	return blocks
}

// section is the part of the page under a heading of the second level.
func (p document) section(t *testing.T, heading string) document {
	t.Helper()
	before, rest, found := strings.Cut(p.text, "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", p.name, heading)
	}
	section, _, _ := strings.Cut(rest, "\n## ")
	p.text = strings.Repeat("\n", strings.Count(before, "\n")+2) + section
	p.blocks = blocksOf(p.text)
	return p
}

// runs says whether the page has anything to run.
func (p document) runs() bool { return slices.ContainsFunc(p.blocks, block.runs) }

// script is the page's session: each block at the lines that it has on the page, so that
// what bash says of a line can be found. number is the page's in its story.
func (p document) script(number int) string {
	lines := make([]string, strings.Count(p.text, "\n")+1)
	for i, b := range p.blocks {
		if !b.runs() {
			continue
		}
		lines[b.line-1] = "terminal_block " + blockName(number, i)
		copy(lines[b.line:], strings.Split(strings.TrimSuffix(b.text, "\n"), "\n"))
	}
	return strings.Join(lines, "\n")
}

var (
	variable = regexp.MustCompile(`…|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[\w-]{22,}|\d+(?:\.\d+)*(?:µs|ms|s)\b|\d+(?:[.,]\d+)*|\s+|[{}\[\],:]|.`)
	duration = regexp.MustCompile(`^\d.*s$`)
)

// looksLike is what an output has to match that a page shows: word by word, but for
// numbers, times, ids, keys, the space between words, and what is left out with an
// ellipsis. In JSON no space is needed.
func looksLike(shown block) *regexp.Regexp {
	var pattern strings.Builder
	for _, word := range variable.FindAllString(strings.TrimSpace(shown.text), -1) {
		json := shown.info == "json"
		switch space := strings.TrimSpace(word) == ""; {
		case word == "…":
			pattern.WriteString(`.*?`)
		case space && json:
			pattern.WriteString(`\s*`)
		case space:
			pattern.WriteString(`\s+`)
		case len(word) >= 22:
			pattern.WriteString(`[\w-]+`)
		case duration.MatchString(word):
			pattern.WriteString(`[\d.]+(?:µ|m)?s`)
		case word[0] >= '0' && word[0] <= '9':
			pattern.WriteString(`\d+(?:[.,]\d+)*`)
		case json && strings.Contains("{}[],:", word):
			pattern.WriteString(`\s*` + regexp.QuoteMeta(word) + `\s*`)
		default:
			pattern.WriteString(regexp.QuoteMeta(word))
		}
	}
	return regexp.MustCompile("(?s)" + pattern.String())
}

func TestABlockIsFencedAndKnowsWhatItFollows(t *testing.T) {
	p := document{name: "p.md", text: "# Page\n\n```sh\necho 1\n```\n\n```text\n1\n```\n\nWords.\n\n```json\n{}\n```\n\n1. A list\n\n   ```sh norun\n   sudo rm\n   ```\n"}
	p.blocks = blocksOf(p.text)
	want := []block{
		{line: 3, info: "sh", text: "echo 1\n"},
		{line: 7, info: "text", text: "1\n", close: true},
		{line: 13, info: "json", text: "{}\n"},
		{line: 19, info: "sh norun", text: "sudo rm\n"},
	}
	if len(p.blocks) != len(want) {
		t.Fatalf("%d blocks: %+v", len(p.blocks), p.blocks)
	}
	for i, b := range p.blocks {
		if b != want[i] {
			t.Errorf("block %d: %+v, want %+v", i, b, want[i])
		}
	}
	if !p.blocks[1].shown() || p.blocks[2].shown() || p.blocks[3].runs() {
		t.Error("what is shown, or run, is another")
	}
	if lines := strings.Split(p.script(7), "\n"); lines[2] != "terminal_block 07-000" || lines[3] != "echo 1" || strings.Contains(p.script(7), "sudo") {
		t.Errorf("the session is\n%s", p.script(7))
	}
}

func TestWhatAPageShowsIsWordByWordButForWhatVaries(t *testing.T) {
	for _, test := range []struct {
		info, shown, said string
		want              bool
	}{
		{"text", "list    true     1", "list  true  27", true},
		{"text", "list  true  1", "list  false  1", false},
		{"text", "in 12ms, 1.5 KiB", "in 1.2s, 75.9 KiB", true},
		{"text", "of 2026-03-01T09:00:00Z", "of 2027-12-31T10:11:12Z", true},
		{"text", "of 2026-03-01T09:00:00Z", "of yesterday", false},
		{"text", "key 1tKCxGeYQOk-3sXZcK9S-hgDCcHwgZwzI3BBUF0dY9s signs", "key UHg3u2c-QuaOhTB4LP3F9GDsvPMbif4AWaOK0bywuN4 signs", true},
		{"text", "one\n…\nthree", "one\ntwo\n2.5\nthree", true},
		{"text", "one\nthree", "one\ntwo\nthree", false},
		{"json", `{"a": "b", "n": [1]}`, `{"a":"b","n":[42]}`, true},
		{"json", `{"a":"b"}`, "{\n  \"a\": \"b\"\n}", true},
		{"json", `{"a": "b"}`, `{"a":"c"}`, false},
		{"json", `{"id": "3f0cf5f2-70f7-4b0c-a0c6-0ee2ad1c2ee6", …}`, `{"id":"00000000-0000-4000-8000-000000000000","x":{}}`, true},
		{"text", "a (b) [c] $d", "a (b) [c] $d", true},
	} {
		if got := looksLike(block{info: test.info, text: test.shown}).MatchString(test.said); got != test.want {
			t.Errorf("%q looks like %q: %v", test.said, test.shown, got)
		}
	}
}
