package manual

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Shells are those that Completion knows.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Completion writes the script that has a shell complete the program's commands, flags
// and the words that flags take. It calls nothing: all is in it.
func Completion(program Command, shell string) (string, error) {
	switch shell {
	case "bash":
		return bash(program), nil
	case "zsh":
		return zsh(program), nil
	case "fish":
		return fish(program), nil
	}
	return "", fmt.Errorf("there is no completion for %q, only for %s", shell, strings.Join(Shells(), ", "))
}

// inherited are a command's flags and those of the commands that it belongs to, as they
// may be given.
func inherited(program Command, c Command) (flags []Flag) {
	for _, above := range program.All() {
		if len(above.Path) <= len(c.Path) && slices.Equal(above.Path, c.Path[:len(above.Path)]) {
			flags = append(flags, above.Flags...)
		}
	}
	return slices.DeleteFunc(flags, func(f Flag) bool { return f.Unseen })
}

func flagNames(flags []Flag) (names []string) {
	for _, f := range flags {
		names = append(names, "--"+f.Name)
	}
	return names
}

func childNames(c Command) (names []string) {
	for _, child := range c.Commands {
		names = append(names, child.Path[len(child.Path)-1])
	}
	return names
}

// valued are the flags of the whole program that take a value, each with the words that
// it takes: flags of one name take the same.
func valued(program Command) (names []string, choices map[string][]string, files map[string]bool) {
	choices, files = map[string][]string{}, map[string]bool{}
	all := map[string]bool{}
	for _, c := range program.All() {
		for _, f := range c.Flags {
			if f.Value == "" || f.Unseen {
				continue
			}
			all["--"+f.Name] = true
			if len(f.Choices) > 0 {
				choices["--"+f.Name] = f.Choices
			}
			if f.File {
				files["--"+f.Name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all)), choices, files
}

func bash(program Command) string {
	var s strings.Builder
	name := program.Path[0]
	names, choices, files := valued(program)
	fmt.Fprintf(&s, "# bash completion for %[1]s. Load it with: source <(%[1]s completion bash)\n_%[1]s() {\n", name)
	s.WriteString(`	local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} path="" word i
	COMPREPLY=()
	# bash takes --flag=value apart at the equals sign.
	if [[ $cur == = ]]; then
		cur=""
	elif [[ $previous == = && COMP_CWORD -ge 2 ]]; then
		previous=${COMP_WORDS[COMP_CWORD-2]}
	fi
	case $previous in
`)
	for _, flag := range slices.Sorted(maps.Keys(choices)) {
		fmt.Fprintf(&s, "	%s) COMPREPLY=($(compgen -W %s -- \"$cur\")); return ;;\n", flag, quoted(strings.Join(choices[flag], " ")))
	}
	if len(files) > 0 {
		fmt.Fprintf(&s, "	%s) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", strings.Join(slices.Sorted(maps.Keys(files)), "|"))
	}
	fmt.Fprintf(&s, "	%s) return ;;\n	esac\n", strings.Join(names, "|"))
	s.WriteString("	for ((i = 1; i < COMP_CWORD; i++)); do\n		word=${COMP_WORDS[i]}\n		case \"$path $word\" in\n")
	for _, c := range program.All()[1:] {
		fmt.Fprintf(&s, "		%s) path=%s ;;\n", quoted(spaced(c.Path[1:])), quoted(spaced(c.Path[1:])))
	}
	s.WriteString("		esac\n	done\n	case \"$path\" in\n")
	for _, c := range program.All() {
		words := append(childNames(c), flagNames(inherited(program, c))...)
		fmt.Fprintf(&s, "	%s) COMPREPLY=($(compgen -W %s -- \"$cur\")) ;;\n", quoted(spaced(c.Path[1:])), quoted(strings.Join(words, " ")))
	}
	fmt.Fprintf(&s, "	esac\n	if [[ ${#COMPREPLY[@]} -eq 0 && $cur != -* ]]; then COMPREPLY=($(compgen -f -- \"$cur\")); fi\n}\ncomplete -o filenames -F _%[1]s %[1]s\n", name)
	return s.String()
}

// spaced is a path as the scripts keep it: a space before each word.
func spaced(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return " " + strings.Join(path, " ")
}

// quoted is text in single quotes, as bash and zsh read it.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func zsh(program Command) string {
	var s strings.Builder
	name := program.Path[0]
	fmt.Fprintf(&s, "#compdef %[1]s\n# zsh completion for %[1]s. Put it into a folder of $fpath as _%[1]s, or: source <(%[1]s completion zsh)\n_%[1]s() {\n", name)
	s.WriteString("	local path=\"\" word i\n	for ((i = 2; i < CURRENT; i++)); do\n		word=${words[i]}\n		case \"$path $word\" in\n")
	for _, c := range program.All()[1:] {
		fmt.Fprintf(&s, "		%[1]s) path=%[1]s ;;\n", quoted(spaced(c.Path[1:])))
	}
	s.WriteString("		esac\n	done\n	local -a commands options\n	case \"$path\" in\n")
	for _, c := range program.All() {
		fmt.Fprintf(&s, "	%s)\n", quoted(spaced(c.Path[1:])))
		if len(c.Commands) > 0 {
			s.WriteString("		commands=(")
			for _, child := range c.Commands {
				fmt.Fprintf(&s, "\n			%s", quoted(child.Path[len(child.Path)-1]+":"+firstLine(child.Help)))
			}
			s.WriteString(")\n		_describe command commands\n")
		}
		s.WriteString("		options=(")
		for _, f := range inherited(program, c) {
			fmt.Fprintf(&s, "\n			%s", quoted(f.zsh()))
		}
		s.WriteString(")\n		_arguments -S \"$options[@]\" '*:file:_files'\n		;;\n")
	}
	fmt.Fprintf(&s, "	esac\n}\nif [[ $funcstack[1] == _%[1]s ]]; then _%[1]s \"$@\"; else compdef _%[1]s %[1]s; fi\n", name)
	return s.String()
}

// zsh writes a flag as _arguments reads it.
func (f Flag) zsh() string {
	help := strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(firstLine(f.Help))
	if f.Value == "" {
		return fmt.Sprintf("--%s[%s]", f.Name, help)
	}
	action := ""
	switch {
	case len(f.Choices) > 0:
		action = "(" + strings.Join(f.Choices, " ") + ")"
	case f.File:
		action = "_files"
	}
	return fmt.Sprintf("--%s=[%s]:%s:%s", f.Name, help, strings.ReplaceAll(f.Value, ":", `\:`), action)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func fish(program Command) string {
	var s strings.Builder
	name := program.Path[0]
	fmt.Fprintf(&s, `# fish completion for %[1]s. Put it into ~/.config/fish/completions/%[1]s.fish, or: %[1]s completion fish | source
function __%[1]s_path
	set -l path ""
	for word in (commandline -opc)[2..]
		switch "$path $word"
`, name)
	for _, c := range program.All()[1:] {
		fmt.Fprintf(&s, "			case %[1]s\n				set path %[1]s\n", fishQuoted(spaced(c.Path[1:])))
	}
	fmt.Fprintf(&s, "		end\n	end\n	test \"$path\" = \"$argv[1]\"\nend\n")
	for _, c := range program.All() {
		condition := fishQuoted(fmt.Sprintf("__%s_path %s", name, fishQuoted(spaced(c.Path[1:]))))
		for _, child := range c.Commands {
			fmt.Fprintf(&s, "complete -c %s -n %s -f -a %s -d %s\n", name, condition, child.Path[len(child.Path)-1], fishQuoted(firstLine(child.Help)))
		}
		for _, f := range inherited(program, c) {
			fmt.Fprintf(&s, "complete -c %s -n %s -l %s%s -d %s\n", name, condition, f.Name, f.fish(), fishQuoted(firstLine(f.Help)))
		}
	}
	return s.String()
}

// fish says what a flag takes.
func (f Flag) fish() string {
	switch {
	case f.Value == "":
		return ""
	case len(f.Choices) > 0:
		return " -x -a " + fishQuoted(strings.Join(f.Choices, " "))
	case f.File:
		return " -r -F"
	}
	return " -x"
}

// fishQuoted is text in single quotes, as fish reads it.
func fishQuoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
