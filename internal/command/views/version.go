package views

import (
	"fmt"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/show"
)

// Version renders which Waybill this is.
func Version(_ options.Version, b cli.Build) show.View {
	return show.View{Text: fmt.Sprintf("waybill %s (%s, %s)\n", b.Version, b.Go, b.Platform)}
}
