// Package manual writes what there is to read of a command line, and what shells
// want to know of it, from the definitions that parse it: a page of all commands
// and flags, man pages, and completions. Nothing in them is written by hand, so
// nothing in them can be forgotten.
package manual

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Command is a command with what it takes.
type Command struct {
	Path      []string // from the program's name on
	Help      string   // a sentence
	Detail    string   // paragraphs, and lines that are indented to stay as they are; may be empty
	Flags     []Flag   // its own: those of the commands that it belongs to are theirs
	Arguments []Argument
	Commands  []Command // those that belong to it
}

// Flag is what is given by name.
type Flag struct {
	Name    string // without dashes
	Short   string // one letter; empty: none
	Value   string // what stands for its value; empty: it takes none
	Help    string
	Default string
	Env     []string // variables that set it as well
	Choices []string // the values it takes; empty: any
	File    bool     // the value is the name of a file or folder
	// Unseen is a flag that is not to be given on the command line, where others
	// could read it, but in the environment.
	Unseen bool
}

// Argument is what is given by its place.
type Argument struct {
	Name, Help string
	Optional   bool
	Many       bool
	File       bool
}

// Of reads the definitions of a program.
func Of(program *kong.Application) Command { return command(program.Node, nil) }

func command(n *kong.Node, path []string) Command {
	c := Command{Path: append(slices.Clone(path), n.Name), Help: n.Help, Detail: n.Detail}
	for _, f := range n.Flags {
		if !f.Hidden || len(f.Envs) > 0 {
			c.Flags = append(c.Flags, flag(f))
		}
	}
	for _, p := range n.Positional {
		c.Arguments = append(c.Arguments, Argument{
			Name: p.Name, Help: p.Help, Optional: !p.Required, Many: p.IsCumulative(), File: isFile(p),
		})
	}
	for _, child := range n.Children {
		if !child.Hidden {
			c.Commands = append(c.Commands, command(child, c.Path))
		}
	}
	return c
}

func flag(f *kong.Flag) Flag {
	out := Flag{
		Name: f.Name, Help: f.Help, Default: f.Default, Env: f.Envs, File: isFile(f.Value), Unseen: f.Hidden,
	}
	if f.Short != 0 {
		out.Short = string(f.Short)
	}
	if f.Enum != "" {
		out.Choices = slices.DeleteFunc(f.EnumSlice(), func(choice string) bool { return choice == "" })
	}
	if !f.IsBool() {
		out.Value = placeholder(f)
	}
	return out
}

func isFile(v *kong.Value) bool {
	switch v.Tag.Type {
	case "path", "existingfile", "existingdir", "file":
		return true
	}
	return v.Tag.PlaceHolder == "FILE" || v.Tag.PlaceHolder == "DIR" || v.Name == "files"
}

func placeholder(f *kong.Flag) string {
	switch {
	case f.PlaceHolder != "":
		return f.PlaceHolder
	case f.Enum != "":
		return "WORD"
	case f.Target.Type() == reflect.TypeFor[time.Duration]():
		return "TIME"
	case f.Target.CanInt(), f.Target.CanUint(), f.Target.CanFloat():
		return "N"
	case isFile(f.Value):
		return "PATH"
	}
	return strings.ToUpper(f.Name[strings.LastIndexByte(f.Name, '-')+1:])
}

// Name is the whole of the command's name.
func (c Command) Name() string { return strings.Join(c.Path, " ") }

// Usage is how the command is called.
func (c Command) Usage() string {
	words := []string{c.Name()}
	if len(c.Commands) > 0 {
		words = append(words, "COMMAND")
	}
	for _, a := range c.Arguments {
		words = append(words, a.usage())
	}
	return strings.Join(append(words, "[FLAGS]"), " ")
}

func (a Argument) usage() string {
	name := strings.ToUpper(a.Name)
	if a.Many {
		name += "…"
	}
	if a.Optional {
		name = "[" + name + "]"
	}
	return name
}

// All gives the command and all that belong to it, each before its own.
func (c Command) All() []Command {
	all := []Command{c}
	for _, child := range c.Commands {
		all = append(all, child.All()...)
	}
	return all
}

// Spelling is how a flag is given.
func (f Flag) Spelling() string {
	spelling := "--" + f.Name
	if f.Short != "" {
		spelling = "-" + f.Short + ", " + spelling
	}
	if f.Value != "" {
		spelling += "=" + f.Value
	}
	return spelling
}
