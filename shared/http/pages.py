"""Page numbers, as lists answer them."""


def page_of(page: int, page_size: int, total: int) -> dict[str, int]:
    """The `pagination` object of a list; a page past the end is the last one."""
    pages = max(1, -(-total // page_size))
    return {"page": min(page, pages), "page_size": page_size, "total": total, "total_pages": pages}


def clamp(page: int, page_size: int, total: int) -> int:
    """The page that is shown when `page` is asked for."""
    return min(page, max(1, -(-total // page_size)))
