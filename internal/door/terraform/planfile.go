package terraform

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/strictjson"
)

// ErrEncrypted is reported of a plan that only OpenTofu itself can read.
var ErrEncrypted = errors.New("the binary plan is encrypted")

// maxPart bounds what is read out of one part of a plan, such as its state.
const maxPart = 1 << 30

func openPlan(plan []byte) (*zip.Reader, error) {
	archive, err := zip.NewReader(bytes.NewReader(plan), int64(len(plan)))
	if errors.Is(err, zip.ErrFormat) {
		return nil, ErrEncrypted
	}
	if err != nil {
		return nil, fmt.Errorf("read the binary plan: %w", err)
	}
	return archive, nil
}

// PlanState is the version of the state that a binary plan was made from: what
// terraform itself holds the state against before it applies the plan.
func PlanState(plan []byte) (StateID, error) {
	archive, err := openPlan(plan)
	if err != nil {
		return StateID{}, err
	}
	file, err := archive.Open("tfstate")
	if err != nil {
		return StateID{}, fmt.Errorf("read the state in the binary plan: %w", err)
	}
	defer file.Close()
	var state stateJSON
	if err := json.NewDecoder(io.LimitReader(file, maxPart)).Decode(&state); err != nil {
		return StateID{}, fmt.Errorf("read the state in the binary plan: %w", err)
	}
	return state.id(), nil
}

// shape is what is known of a message of a plan: which of its fields are lists whose
// order terraform leaves to chance, and the shapes of messages in it. It follows
// planfile.proto of terraform and of OpenTofu.
type shape struct {
	lists []protowire.Number
	in    map[protowire.Number]shape
}

var (
	change   = shape{lists: []protowire.Number{3, 4}} // paths that are sensitive
	instance = shape{lists: []protowire.Number{11}, in: map[protowire.Number]shape{9: change}}
	// planShape has changes of resources and outputs, relevant attributes, drift,
	// checks, results of functions, deferred changes, variables of the apply, actions.
	planShape = shape{lists: []protowire.Number{3, 4, 15, 18, 19, 22, 27, 28, 30, 31}, in: map[protowire.Number]shape{
		3: instance, 18: instance, 4: {in: map[protowire.Number]shape{2: change}},
		27: {in: map[protowire.Number]shape{2: instance}}, 19: {lists: []protowire.Number{4}},
	}}
)

// Fields of the message Plan. The names of ephemeral variables stand in one of
// terraform's, and in another one of OpenTofu's, which terraform has for results.
const (
	fieldVariables = 2
	fieldTimestamp = 21
	fieldApplyTime = 28
	fieldEphemeral = 22
)

// NeedsVariables reports whether a binary plan leaves variables open that are set when
// it is applied, because they are ephemeral. Of an encrypted plan it is not known.
func NeedsVariables(plan []byte, tofu bool) (bool, error) {
	archive, err := openPlan(plan)
	if errors.Is(err, ErrEncrypted) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	names := protowire.Number(fieldApplyTime)
	if tofu {
		names = fieldEphemeral
	}
	data, err := firstPart(archive, "tfplan")
	if err != nil {
		return false, fmt.Errorf("read the binary plan: %w", err)
	}
	fields, err := fieldsOf(data, shape{})
	return slices.ContainsFunc(fields, func(f field) bool { return f.number == names }), err
}

// PlanDigest is the digest of all that a binary plan holds: configuration, state,
// lock file and changes. The time at which it was made, the directory of the job,
// the order of changes and what data sources answered do not count, so that the same plan
// made twice has one digest. A plan that is encrypted has the digest of its bytes.
func PlanDigest(plan []byte) (string, error) {
	h := sha256.New()
	archive, err := openPlan(plan)
	switch {
	case errors.Is(err, ErrEncrypted):
		h.Write(plan)
		return imageref.DigestSum(h), nil
	case err != nil:
		return "", err
	}
	parts := slices.Clone(archive.File)
	slices.SortStableFunc(parts, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	for _, part := range parts {
		data, err := readPart(part)
		switch {
		case err != nil:
		case part.Name == "tfplan":
			data, err = withoutTime(data)
		case part.Name == planModules:
			data, err = inOrder(data)
		case part.Name == partState:
			data, err = withoutAnswers(data)
		}
		if err != nil {
			return "", fmt.Errorf("read %s of the binary plan: %w", part.Name, err)
		}
		fmt.Fprintf(h, "%d:%s%d:", len(part.Name), part.Name, len(data))
		h.Write(data)
	}
	return imageref.DigestSum(h), nil
}

// withoutAnswers is a digest of a state without what its data sources answered, or the
// state itself where it has none.
func withoutAnswers(state []byte) ([]byte, error) {
	answers := strictjson.Omission{Where: "mode", Is: "data", Members: []string{"instances"}}
	if !bytes.Contains(state, []byte(`"`+answers.Is+`"`)) {
		return state, nil
	}
	return strictjson.Unordered(state, nil, answers)
}

// firstPart reads the first part of that name, which is the one that terraform
// reads; nil if there is none.
func firstPart(archive *zip.Reader, name string) ([]byte, error) {
	for _, part := range archive.File {
		if part.Name == name {
			return readPart(part)
		}
	}
	return nil, nil
}

func readPart(part *zip.File) ([]byte, error) {
	file, err := part.Open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPart+1))
	if err == nil && len(data) > maxPart {
		err = fmt.Errorf("it is larger than %d bytes", maxPart)
	}
	return data, err
}

// withoutTime drops the time of a message Plan, and sorts its lists.
func withoutTime(message []byte) ([]byte, error) {
	fields, err := fieldsOf(message, planShape)
	if err != nil {
		return nil, err
	}
	fields = slices.DeleteFunc(fields, func(f field) bool { return f.number == fieldTimestamp })
	for i, f := range fields {
		if f.number == fieldVariables {
			fields[i].key = mapKey(f.value)
		}
	}
	return sorted(fields), nil
}

// field is one field of a message.
type field struct {
	number protowire.Number
	key    []byte // by which those of one number are sorted
	value  []byte // nil where it is not of bytes
	all    []byte
}

// fieldsOf reads the fields of a message, each with its own lists sorted.
func fieldsOf(message []byte, of shape) (fields []field, err error) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		size := protowire.ConsumeFieldValue(number, kind, message[n:])
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		one := field{number: number, all: message[:n+size]}
		if kind == protowire.BytesType {
			one.value, _ = protowire.ConsumeBytes(message[n:])
		}
		if inner, is := of.in[number]; is && one.value != nil {
			parts, err := fieldsOf(one.value, inner)
			if err != nil {
				return nil, err
			}
			one.all = protowire.AppendBytes(protowire.AppendTag(nil, number, kind), sorted(parts))
		}
		if slices.Contains(of.lists, number) {
			one.key = one.all
		}
		fields, message = append(fields, one), message[n+size:]
	}
	return fields, nil
}

// sorted puts fields in the order of their numbers, and those of lists in the
// order of their bytes. Of anything else that stands there twice the order
// counts: the last one wins.
func sorted(fields []field) (message []byte) {
	slices.SortStableFunc(fields, func(a, b field) int {
		return cmp.Or(cmp.Compare(a.number, b.number), bytes.Compare(a.key, b.key))
	})
	for _, f := range fields {
		message = append(message, f.all...)
	}
	return message
}

// mapKey is the key of an entry of a map, which is its first field.
func mapKey(entry []byte) []byte {
	number, kind, n := protowire.ConsumeTag(entry)
	if n < 0 || number != 1 || kind != protowire.BytesType {
		return entry
	}
	key, size := protowire.ConsumeBytes(entry[n:])
	if size < 0 {
		return entry
	}
	return key
}
