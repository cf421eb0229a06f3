// Package contract declares every command once: its inputs, outputs, the
// permissions a job needs for it, and the binary it runs.
//
// Flags, actions/*/action.yml and the README's tables are made from these
// declarations, so they cannot disagree; make check fails where a generated
// file is not what the declarations give. The package parses and validates
// input values, and knows nothing of what a command does with them.
package contract

import (
	"slices"
	"strings"
)

// Type says how the text of an input is read.
type Type string

// The types of input.
const (
	String   Type = "string"
	Bool     Type = "bool"     // true or false
	Int      Type = "int"      // a whole number, not negative
	Duration Type = "duration" // 30m, 24h, 7d
	Choice   Type = "choice"   // one of Values
	List     Type = "list"     // one value per line, or the flag several times
)

// Group names inputs that several commands share. They are one struct in
// internal/command/options and one heading in the help.
type Group string

// The groups of inputs, in the order of the help.
const (
	Repository Group = "Repository"
	GitHub     Group = "GitHub"
	Terraform  Group = "Terraform"
	Cloud      Group = "Cloud"
	Record     Group = "Record"
	Sigstore   Group = "Sigstore"
	Registry   Group = "Registry"
)

// Groups lists the groups in the order of the help.
func Groups() []Group {
	return []Group{Repository, GitHub, Terraform, Cloud, Record, Sigstore, Registry}
}

func grouped(g Group, inputs ...Input) []Input {
	for i := range inputs {
		inputs[i].Group = g
	}
	return inputs
}

// Input is one thing a command is told. The name uses underscores, as in
// action.yml; its flag has dashes.
type Input struct {
	Name        string
	Type        Type
	Default     string
	Required    bool
	Positional  bool     // given as an argument on the command line, not by a flag; a List comes last
	Values      []string // of a Choice
	Placeholder string   // what the help shows for the value, such as REPO
	Group       Group    // empty for an input of this command alone
	Commas      bool     // a List whose values hold no comma: commas separate them too
	// Secret inputs have no flag: arguments are visible to every process. They
	// come by environment (EnvVar) and are masked.
	Secret bool
	// LocalOnly inputs exist on the command line and not in the action.
	LocalOnly bool
	// Doc says what the input is, what it excludes, and what happens when it is
	// empty. It names another input in braces, {oci_layout}, one with a value
	// {via: deployment}, and one of another command {scan.report}: FlagDoc and
	// ActionDoc spell them.
	Doc string
}

// Flag is the input's name on the command line.
func (i Input) Flag() string { return strings.ReplaceAll(i.Name, "_", "-") }

// EnvVar is the variable by which a composite action hands the input over.
func (i Input) EnvVar() string { return "WAYBILL_INPUT_" + strings.ToUpper(i.Name) }

// Output is one thing a command tells the steps after it.
type Output struct {
	Name string
	Doc  string
}

// Permission is one scope of the job token, and what the command does with it.
type Permission struct {
	Scope  string // contents, packages, id-token, pull-requests, statuses, actions, …
	Access string // read or write
	Why    string
}

// OfJob reports whether the job's own token acts by the permission, also where an App is
// named.
func (p Permission) OfJob() bool {
	return slices.Contains([]string{"packages", "id-token", "deployments", "artifact-metadata"}, p.Scope)
}

// The binaries.
const (
	Waybill        = "waybill"
	WaybillScan    = "waybill-scan"
	WaybillSandbox = "waybill-sandbox"
	WaybillKMS     = "sigstore-kms-waybill" // put on PATH where a key is a reference
)

// Command is a command of Waybill and the composite action of the same name.
type Command struct {
	Name        string
	Short       string // one line
	Long        string // a paragraph, which names inputs as Input.Doc does
	Example     string
	Inputs      []Input
	Outputs     []Output
	Permissions []Permission
	Binaries    []string // those the action puts on PATH; the first one is run
	// CommandOnly commands have no composite action.
	CommandOnly bool
}

// Section is a heading of the help.
type Section struct {
	Title    string
	Commands []Command
}

// Sections lists the commands in the order of the delivery line, then of the
// terraform gate, which is the order of the help and the README.
func Sections() []Section {
	return []Section{
		{"From source to a signed image", []Command{changed, compile, build, scan, sign, verify, tag}},
		{"From one environment to the next", []Command{bump, promote, check, diff, rollback, holdCommand}},
		{"What runs, and why", []Command{status, why, historyCommand, reportCommand, replayCommand, auditCommand}},
		{"Terraform", []Command{login, plan, gate, applyCommand, driftCommand}},
		{"Set up", []Command{initialize, setupCommand, doctorCommand, upgradeCommand, policyCommand, schema, version}},
	}
}

// Commands lists the commands of all sections.
func Commands() (all []Command) {
	for _, section := range Sections() {
		all = append(all, section.Commands...)
	}
	return all
}

// Lookup finds a command by name.
func Lookup(name string) (Command, bool) {
	for _, c := range Commands() {
		if c.Name == name {
			return c, true
		}
	}
	return Command{}, false
}

// Input finds an input of the command by name.
func (c Command) Input(name string) (Input, bool) {
	for _, i := range c.Inputs {
		if i.Name == name {
			return i, true
		}
	}
	return Input{}, false
}

// HasOutput reports whether the command declares the output.
func (c Command) HasOutput(name string) bool {
	for _, o := range c.Outputs {
		if o.Name == name {
			return true
		}
	}
	return false
}
