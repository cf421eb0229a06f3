package build_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/delivery/build"
)

func TestPacedSaysOneLineASecond(t *testing.T) {
	t.Parallel()
	var said []string
	at := epoch
	say := func(f string, args ...any) { said = append(said, fmt.Sprintf(f, args...)) }
	progress := build.Paced(func() time.Time { return at }, "pushed", say)
	for i := range int64(36) { // 3.5 seconds, the last of them with an unknown total
		progress(i*1e6, 25e6*max(0, min(1, 29-i)))
		at = at.Add(100 * time.Millisecond)
	}
	if diff := cmp.Diff([]string{"pushed 10.0 of 25.0 MB", "pushed 20.0 of 25.0 MB", "pushed 30.0 MB"}, said); diff != "" {
		t.Error(diff)
	}
}
