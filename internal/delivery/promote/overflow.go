package promote

import (
	"context"

	"github.com/waybill-dev/waybill/internal/markdown"
)

const overflowMarker = "<!-- waybill:overflow -->"

// comment puts what did not fit into the bodies of pull requests into comments.
func (p *Promoter) comment(ctx context.Context, promotions []Promotion) error {
	for _, one := range promotions {
		if one.Overflow == "" || p.Forge == nil || one.Number == 0 {
			continue
		}
		if err := p.Forge.Comment(ctx, one.Number, overflowMarker, markdown.Comment(one.Overflow)); err != nil {
			return err
		}
	}
	return nil
}
