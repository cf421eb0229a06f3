package plan

import (
	"context"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/internal/door/terraform"
)

// products tells terraform and OpenTofu apart, asking each program once: which
// version of it made a plan, which may be another for each root, stands in the
// plan's JSON, and a process for each root would ask for it a second time.
type products struct {
	lock  sync.Mutex
	names map[string]string // by program
}

func (p *products) of(ctx context.Context, tf *terraform.Root) (string, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if name := p.names[tf.Program()]; name != "" {
		return name, nil
	}
	version, err := tf.Version(ctx)
	if err != nil {
		return "", err
	}
	if p.names == nil {
		p.names = make(map[string]string)
	}
	name, _, _ := strings.Cut(version, " ")
	p.names[tf.Program()] = name
	return name, nil
}
