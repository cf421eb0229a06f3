package promote

import "context"

// commentLimit keeps a comment below what GitHub documents for it, though it
// has been seen to take more.
const (
	commentLimit   = 65000
	overflowMarker = "<!-- waybill:overflow -->"
)

// comment puts what did not fit into the bodies of pull requests into comments.
func (p *Promoter) comment(ctx context.Context, promotions []Promotion) error {
	for _, one := range promotions {
		if one.Overflow == "" || p.Forge == nil || one.Number == 0 {
			continue
		}
		text := one.Overflow
		if runes := []rune(text); len(runes) > commentLimit {
			text = string(runes[:commentLimit]) + "\n\n… cut here; the rest is in the summary of the run.\n"
		}
		if err := p.Forge.Comment(ctx, one.Number, overflowMarker, text); err != nil {
			return err
		}
	}
	return nil
}
