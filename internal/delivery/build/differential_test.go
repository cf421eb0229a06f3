package build_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// recipe is a Dockerfile that both engines build.
type recipe struct {
	text    string
	differs string // the row of docs/build-differences.md; empty for none
	plain   bool   // built in the context without links that lead nowhere
}

// snippets are instructions that are built over an empty image or over a base
// image, by turns. "|" is a line break.
var snippets = []string{
	"COPY app /", "COPY app /x", "COPY app /x/", "COPY app x", "COPY app ./x/y/z", "COPY app .", "COPY app ..",
	"COPY app /etc/../q", "COPY app /x/.",
	"COPY app other /d/", "COPY app other /d", "COPY app app /x", "COPY dir /", "COPY dir /d", "COPY dir/ /d", "COPY dir/. /d/",
	"COPY dir dir2 /d", "COPY dir/* /d/",
	"COPY dir/x /d/|COPY dir/x /d/", "COPY dir /d|COPY dir2 /d", "COPY . /", "COPY . /all", "COPY ./ /all/", "COPY / /all/",
	"COPY ./dir/../app /", "COPY */x /m/",
	"COPY d* /m/", "COPY d?r /m/", "COPY [ab]pp /m/", "COPY a* o* /m/", "COPY dir/**/y /m/", "COPY nothing* /m/",
	"COPY nothing /m/", "COPY [x /m/", "COPY a[ /m/",
	`COPY sl\[ash /m/`, `COPY ["sp ace", "/sp ace dir/"]`, `COPY ["app", "/"]`, "COPY link /", "COPY link /l", "COPY dirlink /",
	"COPY dirlink/ /d/", "COPY dirlink /d", "COPY dirlink/x /d",
	"COPY broken /", "COPY loop /", "COPY absolute /a", "COPY out /o", "COPY links /links", "COPY links/inner /i", "COPY sticky /s",
	"COPY setuid /", "COPY private /p",
	"COPY fifo /", "COPY sockets /s", "COPY sockets/s /", "COPY sockets/capable /", "COPY --chmod=755 sockets/capable /",
	"COPY special /s", "COPY hard /h", "COPY hard/a hard/b /h/", "COPY hard/* /h/", "COPY hard /h|COPY hard /i",
	"COPY hard/a /h|COPY hard/b /h",
	"COPY ignored /", "COPY ignored/kept /k", "COPY ignored/dropped /k", "COPY .dockerignore /", "COPY Dockerfile /",
	"COPY empty /e", "COPY empty/ /e/", "COPY deep /d",
	"COPY --chown=1:2 app /", "COPY --chown=1 dir /d", "COPY --chown=1:2 . /all/", "COPY --chown=0:0 links /l",
	"COPY --chmod=600 app /", "COPY --chmod=0755 dir /d", "COPY --chmod=4755 app /",
	"COPY --chmod=u=rwX,go=rX dir /d", "COPY --chmod=+x private /", "COPY --chmod=g+s dir /d", "COPY --chmod=u-w,o= app /",
	"COPY --chmod=99 app /", "COPY --chmod=17777 app /", "COPY --chmod=x app /",
	"COPY --chown=3:4 --chmod=700 dir /d/e/f", "COPY --chmod=700 app /new/dir/app", "COPY --chown=5:6 app /new/dir/app",
	"COPY --chmod=u=rwx app /new/dir/app", "COPY --chmod=644 links /l",
	"COPY --link app /", "COPY --link dir /d", "COPY --link --chown=1:2 app /x/y", "COPY --link --chmod=700 dir /d",
	"COPY --link app /d/|COPY --link other /d/", "COPY --link . /all/|COPY app /all/app2",
	"COPY --parents dir/sub/y /p", "COPY --parents dir/sub/y /p/", "COPY --parents dir/./sub/y /p/",
	"COPY --parents dir/*/y app /p/", "COPY --parents ./dir/sub /p/", "COPY --parents **/y /p/",
	"COPY --parents dir /p/", "COPY --parents dir/nope /p/", "COPY --parents nope app /p/", "COPY --parents dir/nope* /p/",
	"COPY --parents /dir/x /p/", "COPY --parents dirlink/x /p/", "COPY --parents dir/[ /p/",
	"COPY --parents --chmod=700 dir/sub/y /p/", "COPY --parents --chown=1:2 dir/sub/y /p/", "COPY --parents ignored/kept /p/",
	"COPY --parents ignored/dropped /p/", "COPY --parents dir/./x dir2/./z /p/",
	"COPY --parents --chmod=700 dir/sub/y dir/x /p/", "COPY --parents --chmod=700 --chown=1:2 dir2/z dir2/z /p/",
	"COPY --chmod=700 --chown=1:2 dir /p/dir/|COPY --parents --chown=3:4 dir/sub/y /p/",
	"COPY --exclude=x dir /d", "COPY --exclude=**/y dir /d", "COPY --exclude=sub dir /d", "COPY --exclude=* --exclude=!x dir /d",
	"COPY --exclude=[ dir /d",
	"COPY --exclude=sub/y --parents dir /p/", "COPY --exclude=x dir/x /d/", "COPY --exclude=a* a* /d/", "COPY --exclude=/x dir /d",
	"COPY --exclude=sub/ dir /d",
	"COPY <<EOF /doc|hello|EOF", "COPY <<EOF <<OTHER /docs/|a|EOF|b|OTHER", "COPY --chmod=755 <<EOF /bin/run|#!/bin/sh|EOF",
	"COPY --chown=1:2 <<EOF /a/b/c|x|EOF", "COPY <<-EOF /doc|\tin|EOF", `COPY <<"EOF" /doc|$HOME|EOF`,
	"ENV N=app|COPY $N /${N}2", "ARG N=dir|COPY ${N:-x}/x /$N/", "ARG N|COPY app$N /", "ENV A=b C=d|ENV E $A",
	"ENV P=/x|WORKDIR $P/y|COPY app .",
	"ADD app /", "ADD dir /d", "ADD a.tar /", "ADD a.tar /t", "ADD a.tar /t/", "ADD a.tgz /t/", "ADD a.tbz2 /t/", "ADD a.txz /t/",
	"ADD a.tzst /t/", "ADD a.tgz app /t/", "ADD a.t* /t/",
	"ADD --chown=1:2 a.tgz /t/", "ADD --chmod=700 a.tgz /t/", "ADD --link a.tgz /t/", "ADD --unpack=false a.tgz /t/",
	"ADD --unpack=true a.tgz /t/", "ADD --unpack=true app /t/", "ADD text.gz /t/", "ADD empty.tar /t/", "ADD cut.tgz /t/",
	"ADD odd.tar /t/",
	"ADD up.tar /t/u/", "ADD link-to-tar /t/", "COPY a.tgz /t/", "ADD a.tar /t|ADD a.tar /t", "COPY app /t/x|ADD a.tar /",
	"COPY dir /t/d|ADD over.tar /t/", "COPY app /t|ADD a.tar /t/", "ADD a.tar /t|COPY dir /t/d", "ADD --exclude=*x a.tar /t/",
	"WORKDIR /w", "WORKDIR w|WORKDIR v|COPY app .", "WORKDIR /w/../v|COPY app .", "USER 5|WORKDIR /w|COPY app .",
	"USER 5:6|WORKDIR /w/x", "USER nobody|WORKDIR /w", "WORKDIR /|COPY app .", "COPY app /w|WORKDIR /w",
	"WORKDIR /w|COPY dir .|WORKDIR sub|COPY app y",
	"VOLUME /v|COPY app /v/", `VOLUME ["/a","/b"]`, "EXPOSE 80 443/udp", "EXPOSE 8000-8002", "STOPSIGNAL SIGKILL", "STOPSIGNAL 9",
	"STOPSIGNAL SIGNONE", "ENTRYPOINT x y|CMD z", `ENTRYPOINT ["x"]|CMD ["y","z"]`, `SHELL ["/x","-c"]|CMD y`,
	"HEALTHCHECK NONE", "HEALTHCHECK --interval=5s CMD x", "LABEL a=b|LABEL a=c d=e", `LABEL "a b"="c d"`, "MAINTAINER me",
	"ONBUILD COPY app /", "ONBUILD RUN x", "ARG A=1|ARG B=$A|LABEL x=$B", "ENV A=1|LABEL x=${A:+yes}${B:-no}",
	"COPY app /d/|COPY app /d/|COPY other /d/app", "COPY app /a|COPY dir /a", "COPY dir /a|COPY app /a", "COPY dir /a|COPY over /a",
	"COPY over /a|COPY dir /a", "COPY dir /d|COPY --chmod=700 empty /d", "COPY dir /d|COPY --chown=7 empty/ /d/",
}

// overBase are instructions about what a base image has.
var overBase = []string{
	"COPY --chown=app app /", "COPY --chown=app:staff app /", "COPY --chown=nobody app /", "COPY --chown=app:nobody dir /d",
	"COPY --chown=nobody:nobody app /n/m", "USER nobody|WORKDIR /w", "COPY --chown=1:staff dir /d", "COPY --chown=app:7 app /n/m",
	"ADD --chown=app a.tgz /t", "USER app|COPY app /x/|WORKDIR /y", "COPY --chown=$U app /",
	"COPY app /lib/", "COPY app /lib", "COPY dir /lib", "COPY app /usr/lib/app", "COPY dir /usr/lib/", "COPY app /data/old",
	"COPY app /data/", "COPY empty /data", "COPY --chmod=700 dir /data", "ADD a.tar /lib", "ADD a.tar /",
	"COPY --link app /lib/x", "COPY --link app /usr/lib/x", "WORKDIR /lib/w|COPY app .", "WORKDIR /data", "COPY etc /etc",
	"COPY etc/ /etc/", "COPY etc/passwd /etc/|COPY --chown=other app /", "COPY app /hard1", "COPY app /dangling",
	"COPY app /dangling/x", "COPY app /toetc/x",
	"COPY --from=b /hard1 /hard2 /h/", "COPY --from=b / /all/", "COPY --from=b /lib /l", "COPY --from=b /lib/ /l/",
	"COPY --from=b /usr /u", "COPY --from=b /caps /c", "COPY --from=b --chown=1:2 /caps /c", "COPY --from=b --chmod=755 /caps /c",
	"COPY --from=b /old /etc/new /o/",
	"COPY --from=b /dev /d", "COPY --from=b /etc/passwd /etc/", "COPY --from=b /etc /etc", "COPY --from=b --link /etc /e",
	"COPY --chmod=2700 etc /etc|COPY --parents etc/group /",
	"COPY --from=b --parents /usr/lib /p/", "COPY --from=b --exclude=*/lib /usr /u", "COPY --from=b /dangling /d",
	"COPY --from=b /toetc /t", "COPY --from=b /toetc/ /t/", "COPY --from=b /nope /t/", "COPY --from=b /nope* /t/",
	"COPY --from=b /etc/* /t/", "COPY --from=b /data /data", "COPY --from=b --chown=app /data /d2", "COPY --from=0 / /again/",
	"COPY --from=nope / /x/",
	"COPY --from=BASE /etc/passwd /p", "COPY --from=b /archive.tar /t/", "ADD --from=b /archive.tar /t/",
	"COPY --from=b /caps /c|COPY app /c", "COPY --from=b . /w/", "COPY --from=b etc/passwd /w/", "COPY --from=b ../etc/passwd /w/",
}

// wholes are Dockerfiles that are not made of snippets. BASE is the base image.
var wholes = []string{
	"FROM scratch", "FROM BASE", "FROM BASE AS a|FROM a|FROM a|LABEL x=y",
	"FROM scratch AS a|COPY app /|FROM scratch|COPY --from=a /app /b",
	"FROM scratch AS a|COPY . /|FROM scratch AS b|COPY --from=a /hard /h|FROM b|COPY --from=a /links /l",
	"ARG V=BASE|FROM $V", "ARG V|FROM ${V:-scratch}|COPY app /",
	"ARG TARGETARCH|FROM scratch AS x-amd64|COPY app /|FROM x-$TARGETARCH|COPY other /",
	"FROM --platform=$BUILDPLATFORM BASE AS b|FROM scratch|COPY --from=b /etc/arch /",
	"FROM --platform=linux/arm64 BASE AS b|FROM scratch|COPY --from=b /etc/arch /",
	"# escape=`|FROM scratch|COPY app `| /x", "# comment|FROM scratch|# more|COPY app \\|# inner|/x", "from scratch|copy app /",
	"FROM scratch AS A|COPY app /|FROM a", "FROM scratch AS dup|COPY app /|FROM scratch AS dup|COPY other /", "FROM scratch|RUN true x",
	"FROM scratch AS a|COPY hard /h|FROM scratch|COPY --from=a /h/a /h/b /only/",
	"FROM scratch AS a|ADD a.tar /|FROM scratch|COPY --from=a / /",
	"FROM scratch AS a|COPY --link app /d/|COPY --link dir /d/|FROM scratch|COPY --from=a /d /d",
	"FROM BASE AS a|COPY --link app /etc/|FROM a|COPY other /etc/",
	"# check=error=true|FROM scratch AS a|COPY app /", "# check=error=true|FROM scratch as a|COPY app /",
	"# check=skip=all|FROM scratch as a|COPY app /", "# check=nonsense=1|FROM scratch", "FROM scratch|ADD missing.tgz /",
	"FROM scratch AS a|FROM scratch|COPY --from=a /x /", "FROM scratch|COPY --from=scratch x /",
	"FROM scratch|ARG SOURCE_DATE_EPOCH|LABEL at=$SOURCE_DATE_EPOCH", "ARG SOURCE_DATE_EPOCH=5|FROM scratch|COPY app /",
	"FROM scratch|ENV SOURCE_DATE_EPOCH=5|COPY app /", "FROM BASE|COPY --chown=0 --from=b x /",
}

// differing are those where the engines do not agree, by row of the table.
var differing = map[string][]string{
	"Two files of the same size and time": {"FROM scratch|COPY same1 /s|COPY same2 /s", "FROM BASE|COPY same1 /etc/s|COPY same2 /etc/s"},
	"A link that leads nowhere, with `--exclude` or a pattern for `--parents`": {
		"FROM scratch|COPY --exclude=dir . /all/", "FROM scratch|COPY --parents * /all/",
	},
	"`COPY --from --parents` of something missing in the image that the stage itself starts from": {"FROM BASE AS b|FROM BASE|COPY " +
		"--from=b --parents /usr/nope /p/"},
}

func lines(s string) string { return strings.ReplaceAll(s, "|", "\n") + "\n" }

// recipes are all Dockerfiles of the suite, with base as their base image.
func recipes(base string) []recipe {
	var list []recipe
	for i, s := range snippets {
		from := "scratch"
		if i%2 == 1 {
			from = base
		}
		list = append(list, recipe{text: "FROM " + from + "\n" + lines(s)})
	}
	for _, s := range overBase {
		list = append(
			list,
			recipe{text: "FROM " + base + " AS b\nFROM " + base + "\nARG U=app\n" + strings.ReplaceAll(lines(s), "BASE", base)},
		)
	}
	for _, s := range wholes {
		list = append(list, recipe{text: strings.ReplaceAll(lines(s), "BASE", base)})
	}
	r := rand.New(rand.NewPCG(14, 7))
	for range 80 {
		list = append(list, recipe{text: randomRecipe(r, base), plain: true})
	}
	for row, texts := range differing {
		for _, s := range texts {
			list = append(list, recipe{text: strings.ReplaceAll(lines(s), "BASE", base), differs: row})
		}
	}
	return list
}

// randomRecipe makes a Dockerfile of up to three stages.
func randomRecipe(r *rand.Rand, base string) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	sometimes := func(s string) string {
		if r.IntN(3) == 0 {
			return s + " "
		}
		return ""
	}
	source := func() string {
		return pick(
			"app", "other", "dir", "dir/", "dir/sub", "dir/*", "dir2", "links", "hard", "hard/a", "deep", "link", "dirlink",
			"empty", "d*", "*", ".", "private", "sticky", "over", "ignored",
		)
	}
	target := func() string {
		return pick(
			"/", "/x", "/x/", "/x/y", "y", "./y/", "/lib/", "/usr/lib/z", "/data", "/data/", "/etc", "/toetc/", "/x/y/z/", "dir",
			"/dir/sub",
		)
	}
	var b strings.Builder
	stages := 1 + r.IntN(3)
	for i := range stages {
		from := pick("scratch", base)
		if i > 0 && r.IntN(3) == 0 {
			from = fmt.Sprint("s", r.IntN(i))
		}
		fmt.Fprintf(&b, "FROM %s AS s%d\n", from, i)
		for range 1 + r.IntN(4) {
			options := sometimes(pick("--chown=1:2", "--chown=7")) + sometimes(pick(
				"--chmod=700", "--chmod=0644", "--chmod=u=rwX,g=rX", "--chmod=2755",
			))
			switch r.IntN(10) {
			case 0:
				fmt.Fprintf(&b, "WORKDIR %s\n", pick("/w", "w", "/lib/w", "/x/y", ".."))
			case 1:
				fmt.Fprintf(&b, "%s\n", pick("USER 9", "ENV K=v$K", "LABEL l=$K", "ARG K=1", "VOLUME /x", "CMD x"))
			case 2:
				fmt.Fprintf(&b, "COPY %s<<EOF %s/doc%d\n%d\nEOF\n", options, strings.TrimSuffix(target(), "/"), r.IntN(2), r.IntN(2))
			case 3:
				fmt.Fprintf(&b, "ADD %s%s %s\n", options, pick("a.tar", "a.tgz", "over.tar", "dir"), target())
			case 4, 5:
				if i > 0 {
					fmt.Fprintf(
						&b, "COPY %s%s--from=s%d %s %s\n", options, sometimes("--link"), r.IntN(i),
						pick("/", "/x", "/x/*", "/lib", "/etc/*", "/data/"), target(),
					)
					continue
				}
				fallthrough
			default:
				fmt.Fprintf(
					&b, "COPY %s%s%s%s%s %s/\n", options, sometimes("--link"), sometimes("--exclude="+pick("x", "**/y", "s*")),
					sometimes("--parents"), source()+" "+source(), strings.TrimSuffix(target(), "/"),
				)
			}
		}
	}
	return b.String()
}

// differentialFiles is the context of all recipes.
func differentialFiles(t *testing.T) string {
	t.Helper()
	dir := tree(t, map[string]string{
		"app": "app", "other": "other", "private": "p", "setuid": "s", "same1": "12345", "same2": "67890", "dir/x": "x",
		"dir/sub/y": "y", "dir2/x": "other x", "dir2/z": "z", "over/x/y": "y", "empty/": "",
		"deep/a/b/c/d": "d", "deep/a/b/e/": "", "link": "->dir/x", "dirlink": "->dir", "broken": "->nowhere", "loop": "->loop",
		"absolute": "->/app", "out": "->../../../../etc", "links/inner": "->../app", "links/dir": "->../dir", "links/broken": "->none",
		"sl[ash": "b", "sp ace": "s", "sticky/f": "f", "ignored/kept": "k", "ignored/dropped": "d",
		".dockerignore": "# c\nignored\n!ignored/kept\n*.ign\nrecipes\n", "text.gz": gzipped(t, "no tar"),
		"empty.tar": string(make([]byte, 1024)),
		"hard/a":    "hard", "special/f": "f", "etc/passwd": "other:x:77:88::/:\n", "etc/group": "other:x:99:\n",
		"link-to-tar": "->a.tar", "recipes/": "", "sockets/capable": "c",
	})
	old := time.Unix(1_600_000_000, 123456789)
	steps := []error{
		os.Chmod(filepath.Join(dir, "private"), 0o600), os.Chmod(filepath.Join(dir, "setuid"), 0o755|os.ModeSetuid),
		os.Chmod(filepath.Join(dir, "sticky"), 0o1777|os.ModeSticky),
		os.Link(filepath.Join(dir, "hard/a"), filepath.Join(dir, "hard/b")),
		os.Link(filepath.Join(dir, "hard/a"), filepath.Join(dir, "hard/c")), os.Chmod(filepath.Join(dir, "dir2"), 0o2750|os.ModeSetgid),
		unix.Mkfifo(filepath.Join(dir, "special/fifo"), 0o640), unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600),
		os.Chown(filepath.Join(dir, "private"), 55, 66), unix.Setxattr(filepath.Join(dir, "special/f"), "user.note", []byte("x"), 0),
	}
	for _, name := range []string{"app", "dir/x", "dir2", "dir", "empty", "same1", "same2"} {
		steps = append(steps, os.Chtimes(filepath.Join(dir, name), old, old))
	}
	plain := tarOf(t, []entry{
		{Name: "t/", Type: tar.TypeDir, Mode: 0o750, UID: 3, GID: 4, Time: 1_500_000_000},
		{Name: "t/x", Type: tar.TypeReg, Mode: 0o4711, UID: 3, GID: 4, data: "x", Time: 1_500_000_001},
		{Name: "implied/dir/f", Type: tar.TypeReg, Mode: 0o600, data: "f"},
		{Name: "t/link", Type: tar.TypeSymlink, Mode: 0o777, Link: "x"},
		{Name: "t/hard", Type: tar.TypeLink, Mode: 0o600, UID: 9, Link: "t/x", Time: 1_500_000_002},
		{Name: "t/dirlink", Type: tar.TypeSymlink, Link: "../implied"}, {Name: "t/dirlink/g", Type: tar.TypeReg, Mode: 0o640, data: "g"},
		{Name: "t/caps", Type: tar.TypeReg, Mode: 0o755, data: "c", Caps: capability},
		{Name: "t/new", Type: tar.TypeReg, Mode: 0o644, Time: 1_900_000_000}, {Name: "t/fifo", Type: tar.TypeFifo, Mode: 0o600},
	})
	over := tarOf(t, []entry{
		{Name: "./", Type: tar.TypeDir, Mode: 0o700}, {Name: "d", Type: tar.TypeReg, Mode: 0o644, data: "was a directory"},
		{Name: "d/", Type: tar.TypeDir, Mode: 0o711, Time: 1_500_000_000}, {Name: "d/.wh.gone", Type: tar.TypeReg, Mode: 0o600},
	})
	up := tarOf(t, []entry{
		{Name: "../up", Type: tar.TypeReg, Mode: 0o600, data: "up"}, {Name: "root", Type: tar.TypeSymlink, Link: "/"},
		{Name: "root/in", Type: tar.TypeReg, Mode: 0o600, data: "in"}, {Name: "/abs/", Type: tar.TypeDir, Mode: 0o700},
	})
	odd := tarOf(t, []entry{{Name: "a", Type: tar.TypeReg, Mode: 0o600, data: "a"}, {Name: "l", Type: tar.TypeLink, Link: "none"}})
	var z bytes.Buffer
	zw, err := zstd.NewWriter(&z)
	steps = append(steps, err, second(zw.Write(plain)), zw.Close())
	var x bytes.Buffer
	xw, err := xz.NewWriter(&x)
	steps = append(steps, err, second(xw.Write(plain)), xw.Close())
	bz, err := base64.StdEncoding.DecodeString(tarBzip2)
	steps = append(steps, err)
	for name, data := range map[string][]byte{
		"a.tar": plain, "a.tgz": []byte(gzipped(t, string(plain))), "cut.tgz": []byte(gzipped(t, string(plain)))[:200],
		"a.tzst": z.Bytes(), "a.txz": x.Bytes(), "a.tbz2": bz, "over.tar": over, "up.tar": up, "odd.tar": odd,
	} {
		steps = append(steps, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "sockets", "s"))
	if err == nil {
		socket.(*net.UnixListener).SetUnlinkOnClose(false)
		err = socket.Close()
	}
	steps = append(steps, err, unix.Setxattr(filepath.Join(dir, "sockets/capable"), "security.capability", []byte(capability), 0))
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	return dir
}

func second(_ int, err error) error { return err }

func gzipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.String()
}

// capability is cap_net_bind_service=ep, as the kernel stores it.
const capability = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// tarBzip2 is a small archive: Go reads bzip2 and does not write it.
const tarBzip2 = "QlpoOTFBWSZTWWUv5SoAATl7hfGQABBAAP+AADPwZl5gAACAgAAIMADYBg00aaYTEyYCBphg00aaYTEyYCBpgik1GqfqZT0g9CD00g9Tamo7YabdqTPEzL03AY4lDAVG/1M+fRbumEzSAc/CGKDYHmMCBQQ6XSNw/g0H62WLjGxYYFfEkaAD1NNdZxAbGQxaz30GjUcxoZZZ6lqjUa8sQZxmy8KkkhfgWidRjhkNZi8umZR2HkPc6mwx/DUf0ew3jUam/LLtQjcDd3jS2ccRA/xdyRThQkGUv5So"

func differentialBase(p build.Platform) []entry {
	return append(baseFiles(p), []entry{
		{Name: "hard1", Type: tar.TypeReg, Mode: 0o644, data: "h"}, {Name: "hard2", Type: tar.TypeLink, Link: "hard1", Mode: 0o644},
		{Name: "caps", Type: tar.TypeReg, Mode: 0o755, data: "c", Caps: capability},
		{Name: "old", Type: tar.TypeReg, Mode: 0o644, data: "o", Time: 1_400_000_000},
		{Name: "etc/new", Type: tar.TypeReg, Mode: 0o644, data: "n", Time: 1_900_000_000},
		{Name: "dangling", Type: tar.TypeSymlink, Link: "nowhere/at/all"},
		{Name: "toetc", Type: tar.TypeSymlink, Link: "/etc"}, {Name: "dev/", Type: tar.TypeDir, Mode: 0o755, Time: 1_400_000_000},
		{Name: "dev/fifo", Type: tar.TypeFifo, Mode: 0o600},
		{Name: "archive.tar", Type: tar.TypeReg, Mode: 0o644, data: string(make([]byte, 1024))},
	}...)
}

// TestDifferential builds every recipe by both engines, and holds the rows of
// docs/build-differences.md against what is found.
func TestDifferential(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	base, _ := l.push(t, "base", v1.Config{Env: []string{"PATH=/bin"}, WorkingDir: "/data"}, differentialBase)
	dir, plain := differentialFiles(t), differentialFiles(t)
	for _, name := range []string{"broken", "loop", "absolute", "out", "links/broken"} {
		if err := os.Remove(filepath.Join(plain, name)); err != nil {
			t.Fatal(err)
		}
	}
	l.buildkit.Progress = nil
	list := recipes(base)
	if len(list) < 300 {
		t.Errorf("the suite has %d Dockerfiles, want 300", len(list))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var mu sync.Mutex
	rows := map[string]bool{}
	var group errgroup.Group
	group.SetLimit(6)
	for i, r := range list {
		group.Go(func() error {
			context := dir
			if r.plain {
				context = plain
			}
			file := filepath.Join(context, "recipes", fmt.Sprint(i))
			if err := os.WriteFile(file, []byte(r.text), 0o644); err != nil {
				return err
			}
			difference := compare(ctx, t, l, build.Request{Context: context, Dockerfile: file, Platforms: []build.Platform{amd64}})
			mu.Lock()
			defer mu.Unlock()
			rows[r.differs] = true
			if (difference == "") != (r.differs == "") {
				t.Errorf("%s\nsaid to differ: %q, and is:\n%s", r.text, r.differs, difference)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	delete(rows, "")
	data, err := os.ReadFile(filepath.Join(tooltest.Root(t), "docs", "build-differences.md"))
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile(`(?m)^\| (.+?) \|`).FindAllStringSubmatch(string(data), -1) {
		if m[1] != "What" {
			documented = append(documented, m[1])
		}
	}
	var found []string
	for row := range rows {
		found = append(found, row)
	}
	slices.Sort(found)
	slices.Sort(documented)
	if diff := cmp.Diff(documented, found); diff != "" {
		t.Errorf("docs/build-differences.md and the suite differ (-documented +found):\n%s", diff)
	}
}

// compare builds a request by both engines and says what differs.
func compare(ctx context.Context, t *testing.T, l *lab, r build.Request) string {
	want, wantErr := tryBuild(ctx, l.buildkit, r)
	if wantErr == nil {
		defer want.Close()
	}
	got, gotErr := tryBuild(ctx, l.assemble, r)
	if gotErr == nil {
		defer got.Close()
	}
	var needs *build.NeedsBuildKit
	if errors.As(gotErr, &needs) {
		return "" // handed to BuildKit
	}
	if wantErr != nil || gotErr != nil {
		if (wantErr == nil) != (gotErr == nil) {
			return fmt.Sprintf("buildkit: %v\nassemble: %v", wantErr, gotErr)
		}
		return ""
	}
	if diff := cmp.Diff(
		withoutDirTimes(layersOf(t, want.Images[0].Image)), withoutDirTimes(layersOf(t, got.Images[0].Image)),
		cmpopts.IgnoreUnexported(entry{}),
	); diff != "" {
		return "layers (-buildkit +assemble):\n" + diff
	}
	wantConfig, err := want.Images[0].Image.ConfigFile()
	if err != nil {
		return err.Error()
	}
	gotConfig, err := got.Images[0].Image.ConfigFile()
	if err != nil {
		return err.Error()
	}
	return cmp.Diff(wantConfig, gotConfig, configFields)
}

// withoutDirTimes takes out what BuildKit decides by what it was sent before.
func withoutDirTimes(layers [][]entry) [][]entry {
	for _, entries := range layers {
		for i := range entries {
			if entries[i].Type == tar.TypeDir {
				entries[i].Time = 0
			}
		}
	}
	return layers
}
