package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/terraform/release"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
)

func chooser(call *cli.Call, tool plan.Tool) *release.Chooser {
	return &release.Chooser{Program: tool.Program, Env: tool.Env(nil), Dir: tool.Work, Mirror: call.In.String("terraform_mirror"), Say: call.Sayf}
}

// chooseTerraform gives each root the terraform it asks for: by the input, else
// by waybill.yaml, else by the version file in the tree; required_version always
// holds as well.
func chooseTerraform(ctx context.Context, call *cli.Call, top string, list []roots.Root, tool *plan.Tool) error {
	common, err := roots.Config(top)
	if err != nil {
		return err
	}
	c := chooser(call, *tool)
	tool.Programs = make(map[string]string)
	for _, root := range list {
		sources, err := roots.ReadSources(ctx, top, root.Dir, nil)
		if err != nil {
			return err
		}
		tree, err := release.TreeWishes(top, root.Dir, tool.Program, sources.Dirs)
		if err != nil {
			return err
		}
		named := release.Wish{Constraint: call.In.String("terraform_version"), From: "the input terraform_version"}
		if named.Constraint == "" {
			named = release.Wish{Constraint: root.Version, From: "waybill.yaml"}
		}
		if named.Constraint == "" {
			named.Constraint = common.Version
		}
		var wishes []release.Wish
		for _, w := range tree {
			if named.Constraint == "" || strings.HasPrefix(w.From, "required_version") {
				wishes = append(wishes, w)
			}
		}
		if named.Constraint != "" {
			wishes = append(wishes, named)
		}
		if tool.Programs[root.Dir], err = c.Choose(ctx, wishes); err != nil {
			return err
		}
	}
	return nil
}

// terraformOfPlan gives each root the terraform that its plan was made with. One
// that cannot be had is left to the comparison, which says what differs.
func terraformOfPlan(ctx context.Context, call *cli.Call, records []plan.RootRecord, tool *plan.Tool) error {
	if strings.ContainsRune(tool.Program, filepath.Separator) {
		return nil
	}
	c := chooser(call, *tool)
	tool.Programs = make(map[string]string)
	for _, r := range records {
		program, number, _ := strings.Cut(r.Terraform, " ")
		if program != tool.Program || program != "terraform" {
			continue
		}
		path, err := c.Choose(ctx, []release.Wish{{Constraint: number, From: "the plan of " + r.Dir}})
		if err != nil {
			return err
		}
		tool.Programs[r.Dir] = path
	}
	return nil
}
