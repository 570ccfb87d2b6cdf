package manual

import (
	"fmt"
	"strings"
	"time"
)

// Man writes the man pages of the program and of each of its commands, by the names of
// their files. They carry the version and the day.
func Man(program Command, version string, day time.Time) map[string]string {
	pages := map[string]string{}
	for _, c := range program.All() {
		pages[c.manName()+".1"] = c.man(program, version, day)
	}
	return pages
}

func (c Command) manName() string { return strings.Join(c.Path, "-") }

func (c Command) man(program Command, version string, day time.Time) string {
	var page strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&page, format+"\n", args...) }
	line(`.\" Made from the program's own definitions: trailhook man.`)
	line(`.TH %s 1 %s "trailhook %s" "Trailhook"`, strings.ToUpper(roff(c.manName())), day.Format(time.DateOnly), roff(version))
	line(".SH NAME")
	summary, rest, _ := strings.Cut(c.Help, "\n")
	line(`%s \- %s`, roff(c.manName()), roff(strings.TrimSuffix(summary, ".")))
	line(".SH SYNOPSIS\n.B %s", roff(c.Usage()))
	if text := strings.TrimSpace(rest + "\n\n" + c.Detail); text != "" {
		line(".SH DESCRIPTION\n%s", roffText(text))
	}
	if len(c.Commands) > 0 {
		line(".SH COMMANDS")
		for _, child := range c.Commands {
			line(".TP\n.BR %s (1)\n%s", roff(child.manName()), roff(child.Help))
		}
	}
	if len(c.Arguments) > 0 {
		line(".SH ARGUMENTS")
		for _, a := range c.Arguments {
			line(".TP\n.I %s\n%s", roff(a.usage()), roff(a.Help))
		}
	}
	if len(c.Flags) > 0 {
		line(".SH OPTIONS")
	}
	for _, f := range c.Flags {
		f.man(line)
	}
	if len(c.Path) > 1 {
		line(".SH SEE ALSO\n.BR %s (1)", roff(program.manName()))
	}
	return page.String()
}

func (f Flag) man(line func(string, ...any)) {
	if f.Unseen {
		line(".TP\n.B %s\n%s In the environment only.", roff(strings.Join(f.Env, ", ")), roff(f.Help))
		return
	}
	line(".TP\n.B %s\n%s", roff(f.Spelling()), roff(f.Help))
	if f.Default != "" {
		line("Default: %s.", roff(f.Default))
	}
	if len(f.Env) > 0 {
		line("Environment: %s.", roff(strings.Join(f.Env, ", ")))
	}
}

// roff writes text so that it stands for itself (groff_char(7)).
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// roffText writes paragraphs; lines that are indented stay as they are.
func roffText(text string) string {
	var lines []string
	asIs := false
	for line := range strings.SplitSeq(text, "\n") {
		indented := strings.HasPrefix(line, "  ")
		switch {
		case line == "":
			line = ".PP"
			if asIs {
				line = ""
			}
		case indented && !asIs:
			lines, asIs = append(lines, ".PP", ".RS 2", ".nf"), true
		case !indented && asIs:
			lines, asIs = append(lines, ".fi", ".RE", ".PP"), false
		}
		if line != ".PP" && line != "" {
			line = roff(strings.TrimPrefix(line, "  "))
		}
		lines = append(lines, line)
	}
	if asIs {
		lines = append(lines, ".fi", ".RE")
	}
	return strings.Join(lines, "\n")
}
