package linkcheck

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The cores of these tests are cut down to the members that once vanished.
var oldCore = map[string]string{
	"hudson/Extension.java": `package hudson; import java.lang.annotation.*;
		@Retention(RetentionPolicy.RUNTIME) public @interface Extension { boolean optional() default false; }`,
	"jenkins/model/Jenkins.java": `package jenkins.model; public class Jenkins extends hudson.model.Node {
		public static final String AUTOMATIC_SLAVE_LAUNCH = new String("a"); public static Jenkins get() { return null; } }`,
	"hudson/model/Node.java":           `package hudson.model; public abstract class Node { public int getNumExecutors() { return 1; } protected void save() {} }`,
	"hudson/slaves/AbstractCloud.java": `package hudson.slaves; public abstract class AbstractCloud { protected AbstractCloud(String name) {} }`,
	"hudson/logging/LogRecorder.java":  `package hudson.logging; public class LogRecorder { public final java.util.List<String> targets = null; }`,
}

var newCore = map[string]string{
	"hudson/Extension.java": oldCore["hudson/Extension.java"],
	"jenkins/model/Jenkins.java": `package jenkins.model; public class Jenkins extends hudson.model.Node {
		public static final String AUTOMATIC_AGENT_LAUNCH = new String("a"); public static Jenkins get() { return null; } }`,
	"hudson/model/Node.java":           oldCore["hudson/model/Node.java"],
	"hudson/slaves/AbstractCloud.java": `package hudson.slaves; public abstract class AbstractCloud { protected AbstractCloud(CharSequence name) {} }`,
	"hudson/logging/LogRecorder.java":  `package hudson.logging; public class LogRecorder { private final java.util.List<String> targets = null; }`,
}

var lang = map[string]string{"org/apache/commons/lang/StringUtils.java": `package org.apache.commons.lang;
	public class StringUtils { public static boolean isBlank(String s) { return s == null; } }`}

var oldGuava = map[string]string{"com/google/common/base/Objects.java": `package com.google.common.base; public final class Objects {
	public static ToStringHelper toStringHelper(Object o) { return null; } public static boolean equal(Object a, Object b) { return a == b; }
	public static final class ToStringHelper { public ToStringHelper add(String k, Object v) { return this; } } }`}

var newGuava = map[string]string{"com/google/common/base/Objects.java": `package com.google.common.base; public final class Objects {
	public static boolean equal(Object a, Object b) { return a == b; } }`}

// cloudPlugin links to all of that, as the Mesos plugin's two lines and the SCM sync plugin do.
var cloudPlugin = map[string]string{
	"org/example/Cloud.java": `package org.example; import org.apache.commons.lang.StringUtils; import jenkins.model.Jenkins;
		public class Cloud extends hudson.slaves.AbstractCloud {
			public Cloud(String name) { super(name); if (StringUtils.isBlank(name)) throw new IllegalArgumentException(); }
			public int executors() { return Jenkins.get().getNumExecutors(); }
			@hudson.Extension public static class DescriptorImpl {
				public void init() { Object before = Jenkins.AUTOMATIC_SLAVE_LAUNCH; }
				public Runnable log(hudson.logging.LogRecorder r) { return r.targets::clear; } } }`,
	"org/example/Text.java": `package org.example; import com.google.common.base.Objects;
		public class Text { public String toString() { return Objects.toStringHelper(this).add("a", 1).toString() + Objects.equal(1, 2); } }`,
	"org/example/Careful.java": `package org.example; import org.apache.commons.lang.StringUtils;
		public class Careful { static final double D = 2.5; long big(long x) { return x + 5000000000L; } boolean blank(String s) { try { return StringUtils.isBlank(s); } catch (NoClassDefFoundError e) { return s == null; } } }`,
}

func TestLinksThatCoresHaveBroken(t *testing.T) {
	built := javac(t, merged(oldCore, lang, oldGuava))
	before, after := tree(t, built), tree(t, javac(t, merged(newCore, newGuava)))
	library, guava11, guava31 := before.under("org/"), before.under("com/"), after.under("com/")
	own := tree(t, javac(t, cloudPlugin, built)).
		with("META-INF/annotations/hudson.Extension.txt", "# informational\norg.example.Cloud$DescriptorImpl{}\n")
	check := func(core, guava, lib files) Report {
		jars := files{"WEB-INF/lib/guava.jar": guava.zip(t)}
		if lib != nil {
			jars["WEB-INF/lib/commons-lang-2.6.jar"] = lib.zip(t)
		}
		return newRig(t, core.under("hudson/", "jenkins/"), jars).plugin("cloud", "", own).check()
	}

	t.Run("the core that it was built for", func(t *testing.T) {
		report := check(before, guava11, library)
		assert.Empty(t, report.Links)
		assert.Equal(t, 4, report.Classes)
		assert.Greater(t, report.References, 20)
	})
	t.Run("Guava updated", func(t *testing.T) {
		report := check(before, guava31, library)
		assert.Equal(t, []string{
			"breaks cloud: missing method com.google.common.base.Objects$ToStringHelper com.google.common.base.Objects.toStringHelper(java.lang.Object)",
			"breaks cloud: missing class com.google.common.base.Objects$ToStringHelper",
		}, lines(report))
		assert.Equal(t, []Use{{Jar: "WEB-INF/lib/cloud.jar", Class: "org/example/Text", Member: "toString()Ljava/lang/String;", How: "code"}}, report.Links[0].Uses)
		assert.Contains(t, report.Links[0].Why, "com.google.common.base.Objects in guava.jar of core")
		assert.Contains(t, report.Links[1].Why, "other classes of its package are there")
		assert.False(t, report.Links[0].AtStart)
	})
	t.Run("a field renamed, another private, a constructor changed", func(t *testing.T) {
		report := check(after, guava11, library)
		assert.Equal(t, []string{
			"breaks cloud: inaccessible field java.util.List hudson.logging.LogRecorder.targets",
			"breaks cloud: missing method void hudson.slaves.AbstractCloud.<init>(java.lang.String)",
			"breaks cloud: missing field java.lang.String jenkins.model.Jenkins.AUTOMATIC_SLAVE_LAUNCH",
		}, lines(report))
		for i, atStart := range []bool{true, false, true} {
			assert.Equal(t, atStart, report.Links[i].AtStart, report.Links[i])
		}
		assert.Equal(t, "org/example/Cloud$DescriptorImpl", report.Links[2].Uses[0].Class)
		assert.Equal(t, "init()V", report.Links[2].Uses[0].Member)
	})
	t.Run("commons-lang removed", func(t *testing.T) {
		report := check(before, guava11, nil)
		assert.Equal(t, []string{"breaks cloud: missing class org.apache.commons.lang.StringUtils"}, lines(report))
		uses := report.Links[0].Uses
		require.Len(t, uses, 2)
		assert.Equal(t, Use{Jar: "WEB-INF/lib/cloud.jar", Class: "org/example/Careful", Member: "blank(Ljava/lang/String;)Z", How: "code", Guarded: true}, uses[0])
		assert.Equal(t, "<init>(Ljava/lang/String;)V", uses[1].Member)
		assert.Equal(t, report.Links, report.Since(check(before, guava11, library)))
		assert.Empty(t, report.Since(report))
	})
	t.Run("commons-lang put into the plugin again", func(t *testing.T) {
		jars := files{"WEB-INF/lib/guava.jar": guava11.zip(t)}
		cured := files{"WEB-INF/lib/commons-lang-2.6.jar": library.zip(t)}
		assert.Empty(t, newRig(t, before.under("hudson/", "jenkins/"), jars).plugin("cloud", "", own, cured).check().Links)
	})
}
