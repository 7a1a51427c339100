import sys, time, jenkins

server = jenkins.Jenkins(sys.argv[1], username="admin", password="admin-pw", timeout=20)
assert server.get_whoami()["id"] == "admin", server.get_whoami()
assert server.get_version().startswith("2."), server.get_version()
XML = """<?xml version='1.1' encoding='UTF-8'?><project><canRoam>true</canRoam><builders><hudson.tasks.Shell>
<command>echo P=$P</command></hudson.tasks.Shell></builders><properties><hudson.model.ParametersDefinitionProperty>
<parameterDefinitions><hudson.model.StringParameterDefinition><name>P</name><defaultValue>d</defaultValue>
</hudson.model.StringParameterDefinition></parameterDefinitions></hudson.model.ParametersDefinitionProperty></properties></project>"""

assert server.get_jobs() == []
server.create_job("p1", XML)
assert server.job_exists("p1")
assert [j["name"] for j in server.get_jobs()] == ["p1"]
assert "echo P" in server.get_job_config("p1")
try:
    server.create_job("p1", XML)
    raise SystemExit("a name can be taken twice")
except jenkins.JenkinsException:
    pass
item = server.build_job("p1", {"P": "x"})
assert server.get_queue_item(item)["task"]["name"] == "p1"
assert server.get_job_info("p1")["inQueue"]
for _ in range(300):
    left = server.get_queue_item(item)
    if left.get("executable"):
        break
    time.sleep(0.1)
number = left["executable"]["number"]
for _ in range(300):
    info = server.get_build_info("p1", number)
    if not info["building"]:
        break
    time.sleep(0.1)
assert info["result"] == "SUCCESS", info
assert "P=x" in server.get_build_console_output("p1", number)
server.reconfig_job("p1", XML.replace("echo P", "echo Q"))
server.copy_job("p1", "p2")
server.rename_job("p2", "p3")
server.disable_job("p1")
assert server.get_job_info("p1")["color"] == "disabled"
server.enable_job("p1")
server.delete_job("p3")
assert not server.job_exists("p3")
try:
    # It asks for the display name as a URL, which Jenkins answers with 404 since the built-in node got its new name.
    server.get_running_builds()
    raise SystemExit("Built-In Node is no URL")
except jenkins.JenkinsException as e:
    assert "Built-In Node" in str(e)
assert server.get_queue_info() == []
server.create_node("n1", numExecutors=2, labels="a b", remoteFS="/tmp/n1", launcher=jenkins.LAUNCHER_JNLP)
assert {n["name"] for n in server.get_nodes()} >= {"n1"}, server.get_nodes()
assert server.get_node_info("n1")["offline"]
server.delete_node("n1")
assert any(p["shortName"] == "mesos" for p in server.get_plugins_info()), server.get_plugins_info()
server.quiet_down()
assert server.get_info()["quietingDown"]
server.delete_job("p1")
try:
    server.run_script("println 1")
    raise SystemExit("there is no Groovy")
except Exception as e:
    assert "501" in str(e), e
print("all done")
