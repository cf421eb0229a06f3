// Package deployers knows what deploys from a config repository: Argo CD, Flux and others.
// It reads what their objects name, which charts and files they make something of,
// and tells what a change of the repository newly has them deploy.
//
// It judges no image and no digest: whoever asks says what becomes of what is found.
package deployers

import (
	"sync"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// Change is a change of the config repository, with the deployers that read it.
type Change struct {
	Dir          string            // that is the config repository, in the whole one
	Base, Head   map[string][]byte // the files; Base is nil where everything is judged
	Was          []Place           // the base's; none where its waybill.yaml cannot be read
	Places       []Place           // the head's
	Environments []string          // that either side names

	plainOnce sync.Once
	plain     []render.Object // the base's deployers in plain manifests
	read      map[string]bool // the ConfigMaps and Secrets that these take values from
	imported  map[string]bool // names of files that Jsonnet may read

	chooseOnce sync.Once
	choose     []chooser

	home map[string]bool // what deployers call this repository, with its revision
}

// Place is an application of waybill.yaml in one of its environments.
type Place struct {
	App config.App
	Env string
}
