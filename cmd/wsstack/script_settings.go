package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// scriptSettings are the settings of scripts that were given as flags.
type scriptSettings struct {
	list    []syntax.Setting
	defines map[string]string // of --define; nil: there are none
}

// check finds settings that aren't possible.
func (s *scriptSettings) check() error {
	if _, wrong := play.Resolve(new(syntax.Script), s.list); wrong != nil {
		text := wrong.What
		if wrong.Event != "" {
			text = wrong.Event + ": " + text
		}
		return usagef("%s", printable(text)).withHint("%s", wrong.Hint)
	}
	return nil
}

// define keeps what stands for a word, as NAME=VALUE.
func (s *scriptSettings) define(text string) error {
	if _, err := syntax.ParseSettings("", "--define="+text); err != nil {
		if all, ok := errors.AsType[syntax.Errors](err); ok {
			return mistake.Errorf(all[0].Hint, "%s", all[0].Text)
		}
		return err
	}
	if s.defines == nil {
		s.defines = map[string]string{}
	}
	name, value, _ := strings.Cut(text, "=")
	s.defines[name] = value
	return nil
}

// addFlags adds a flag for each setting. The "_" of its name may be "-" as well.
func (s *scriptSettings) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	for _, info := range syntax.Settings() {
		v := &settingFlag{info: info, settings: s}
		help, words := info.Help, v.words()
		if words != nil {
			help += ": " + strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
		}
		flag := flags.VarPF(v, info.Name, "", help)
		switch {
		case info.Placeholder == "":
			flag.NoOptDefVal = "true"
		case info.Optional:
			flag.NoOptDefVal = words[0]
		}
		if words != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag.Name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // there is one of the name
		}
	}
}

// A settingFlag is the flag of one setting.
type settingFlag struct {
	info     syntax.SettingInfo
	settings *scriptSettings
	text     string
}

// words are the values of a setting that has a few; nil: it has many.
func (v *settingFlag) words() []string {
	if words := strings.Split(v.info.Placeholder, "|"); len(words) > 1 {
		return words
	}
	return nil
}

// Set implements pflag.Value.
func (v *settingFlag) Set(text string) error {
	v.text = text
	switch {
	case v.info.Name == "define":
		return v.settings.define(text)
	case v.info.Placeholder != "":
		v.settings.list = append(v.settings.list, syntax.Setting{Name: v.info.Name, Value: text, HasValue: true})
	case text == "true":
		v.settings.list = append(v.settings.list, syntax.Setting{Name: v.info.Name})
	default:
		return mistake.Errorf("write --"+v.info.Name, "--%s has no value", v.info.Name)
	}
	return nil
}

// String implements pflag.Value.
func (v *settingFlag) String() string { return v.text }

// Type implements pflag.Value.
func (v *settingFlag) Type() string {
	switch {
	case v.info.Placeholder == "":
		return "bool" // it has no value
	case v.words() != nil:
		return "WORD"
	}
	return v.info.Placeholder
}
