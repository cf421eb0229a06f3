package views

import (
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/delivery/cluster"
)

// Policy renders a policy of a cluster: the file itself, and nothing else.
func Policy(_ options.Policy, r cluster.Result) show.View { return show.View{Text: r.YAML} }
