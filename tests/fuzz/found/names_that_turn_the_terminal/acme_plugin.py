from ffcore.plugin import ArchRecord, JoinerRecord, Parameter, hookimpl


@hookimpl
def ffcore_joiners():
    yield JoinerRecord("acme", "a joiner", "acme_plugin:Nothing")


@hookimpl
def ffcore_arches():
    yield ArchRecord("acme", "an arch", "acme_plugin:arch", parameters=[Parameter("size", 3, "bit", "of it")])


def arch(size=3):
    return "arch: {nodes: [!Compute {name: MAC}]}"
