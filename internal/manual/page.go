package manual

import (
	"fmt"
	"strings"
)

// Page writes all commands and flags as one page of Markdown. made says how the
// page is made anew.
func Page(program Command, made string) string {
	var page strings.Builder
	fmt.Fprintf(&page, "# The command line\n\nThis page is made from the program's own definitions (`%s`). A flag that has a variable in the\n"+
		"environment can be set there as well, and all of them in the `--config` file, by their names without the dashes. What is on the\n"+
		"command line counts before the file, and that before the environment.\n", made)
	for _, c := range program.All() {
		c.section(&page)
	}
	return page.String()
}

func (c Command) section(page *strings.Builder) {
	fmt.Fprintf(page, "\n## %s\n\n%s\n", c.Name(), codeBlocks(c.Help))
	if len(c.Path) > 1 {
		fmt.Fprintf(page, "\n    %s\n", c.Usage())
	}
	if c.Detail != "" {
		fmt.Fprintf(page, "\n%s\n", codeBlocks(c.Detail))
	}
	if len(c.Arguments) > 0 {
		page.WriteString("\n| argument | what it is |\n| --- | --- |\n")
		for _, a := range c.Arguments {
			fmt.Fprintf(page, "| `%s` | %s |\n", a.usage(), cell(a.Help))
		}
	}
	if len(c.Flags) > 0 {
		page.WriteString("\n| flag | environment | default | what it does |\n| --- | --- | --- | --- |\n")
		for _, f := range c.Flags {
			fmt.Fprintf(page, "| %s | %s | %s | %s |\n", f.spellingCell(), code(strings.Join(f.Env, ", ")), code(f.Default), f.helpCell())
		}
	}
}

func (f Flag) spellingCell() string {
	if f.Unseen {
		return "(in the environment only)"
	}
	return code(f.Spelling())
}

func (f Flag) helpCell() string {
	help := cell(f.Help)
	for _, choice := range f.Choices {
		if !strings.Contains(help, choice) {
			return help + " One of " + code(strings.Join(f.Choices, ", ")) + "."
		}
	}
	return help
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

// cell is text within a table, where a bar would end the cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// codeBlocks indents what is indented so far that Markdown leaves it as it is, with an
// empty line around it.
func codeBlocks(text string) string {
	var lines []string
	inside := false
	for line := range strings.SplitSeq(text, "\n") {
		indented := strings.HasPrefix(line, "  ")
		if indented != inside && len(lines) > 0 && lines[len(lines)-1] != "" && line != "" {
			lines = append(lines, "")
		}
		if line != "" {
			inside = indented
		}
		if indented {
			line = "  " + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
